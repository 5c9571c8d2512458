"""The arithmetic of infra/SIZING.md, and that the page shows what it gives for the figures that are kept."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from apps import load_app
from benchmarks import archive_costs, sizing
from benchmarks.figures import ARCHIVE_INPUTS, BATCHES, INPUTS, BenchError
from benchmarks.modes import Run, hourly
from benchmarks.renew import inputs_of
from deploy.target import REPOSITORY

MEASURED: dict[str, float] = json.loads((REPOSITORY / "tests/benchmarks/measured.json").read_text())
PRICES: dict[str, Any] = json.loads((REPOSITORY / "tests/benchmarks/prices.json").read_text())
PAGE = REPOSITORY / "infra/SIZING.md"
_, MEDIUM, _ = sizing.SIZES
ROUND = dict.fromkeys(INPUTS, 10.0) | {"chunk_ms": 500.0, "index_rows_per_second": 50_000.0}


def default(parameter: str) -> int:
    """Of a parameter of the template."""
    found = re.search(r"Default: (\d+)", (REPOSITORY / "template.yaml").read_text().partition(f"  {parameter}:")[2])
    assert found
    return int(found[1])


def test_the_page_shows_what_the_figures_give() -> None:
    page = PAGE.read_text()
    assert sizing.renewed(page, sizing.tables(MEASURED, PRICES)) == page, "run `make sizing`"


def test_every_figure_that_the_page_needs_is_kept() -> None:
    modes = {
        f"{mode}_{load}_{function}_{what}"
        for mode in ("wake", "tick")
        for load in ("idle", "busy")
        for function in ("drain", "process_chunk")
        for what in ("runs", "ms")
    }
    assert MEASURED.keys() == {*INPUTS, *ARCHIVE_INPUTS, *modes}
    assert all(MEASURED[key] > 0 for key in INPUTS)


def test_the_page_is_not_made_of_a_quick_run() -> None:
    assert inputs_of(MEASURED | {"store_vs_copy": 1.0}) == {key: MEASURED[key] for key in INPUTS}
    with pytest.raises(BenchError, match="quick"):
        inputs_of(MEASURED | {"rows": 500_000})


def test_settings_are_those_of_the_template() -> None:
    assert default("HttpMemoryMegabytes") == sizing.HTTP_MEGABYTES
    assert default("ChunkMemoryMegabytes") == sizing.CHUNK_MEGABYTES
    template = (REPOSITORY / "template.yaml").read_text()
    assert f'CHUNK_MAX_RECORDS: "{sizing.CHUNK_LOGS}"' in template
    assert f'BACKLOG_LIMIT_BYTES: "{sizing.BACKLOG_LIMIT_BYTES}"' in template


def test_a_part_of_a_core_takes_as_many_times_longer() -> None:
    assert sizing.billed_ms(10, 1_769) == sizing.billed_ms(10, 3_538) == 10
    assert sizing.billed_ms(10, 512) == pytest.approx(34.55, abs=0.01)


def test_a_run_costs_its_gigabyte_seconds_and_its_request() -> None:
    assert sizing.run_dollars(1_000, 1_024, PRICES) == pytest.approx(0.0000166667 + 0.0000002)


def test_a_million_logs_cost_their_requests_and_their_work() -> None:
    single, thousand = (sizing.bill(ROUND, PRICES, batch) for batch in (1, 1_000))
    assert (single.gateway, thousand.gateway) == (3.5, 0.0035)
    assert single.ingest == pytest.approx(1_000 * thousand.ingest)
    assert thousand.store == pytest.approx(200 * (0.5 * 1_769 / 1_024 * 0.0000166667 + 0.0000002))
    assert thousand.index == pytest.approx(20 * (1_769 / 512) * 0.5 * 0.0000166667)
    assert single.function_logs == pytest.approx(380 * 10**6 / 10**9 * 0.5)
    parts = (single.gateway, single.ingest, single.store, single.index, single.function_logs)
    assert single.total == pytest.approx(sum(parts))


def test_concurrency_is_rate_times_time() -> None:
    assert sizing.chunk_concurrency(ROUND, 10_000) == 1
    assert sizing.chunk_concurrency(ROUND, 10_001) == 2
    assert sizing.ingest_concurrency(ROUND, 1_000, 10) == 4


def test_backlog_and_storage() -> None:
    assert sizing.backlog_mb(ROUND, 1_000, 10) == pytest.approx(0.6)
    assert sizing.stored_gb(ROUND, 10**9) == pytest.approx(10)


def test_a_mode_costs_an_hour_730_times() -> None:
    figures = {"wake_idle_drain_runs": 60.0, "wake_idle_drain_ms": 2_000.0}
    figures |= {"wake_idle_process_chunk_runs": 0.0, "wake_idle_process_chunk_ms": 0.0}
    expected = 730 * 60 * (2 * 0.5 * 0.0000166667 + 0.0000002)
    assert sizing.mode_dollars(figures, PRICES, "wake", "idle") == pytest.approx(expected)


def test_an_hour_is_told_from_what_of_the_runs_was_in_the_time() -> None:
    found = [Run(-30, 20), Run(10, 40), Run(50, 70), Run(61, 80), Run(-9, -1)]
    assert hourly(found, 0, 60) == pytest.approx((180, 20_000))
    assert hourly([], 0, 60) == (0, 0)


def test_two_zones_pay_for_two_servers() -> None:
    one, two = (sizing.size_dollars(MEASURED, PRICES, replace(MEDIUM, copies=copies)) for copies in (1, 2))
    for part in ("database", "storage", "endpoints"):
        assert two[part] == pytest.approx(2 * one[part])
    assert two["gateway"] == one["gateway"]


def test_a_day_of_an_application_is_an_object_for_each_200_000_logs() -> None:
    figures = {"archive_bytes_per_log": 100.0}
    assert archive_costs.day_of(figures, 10, 5) == archive_costs.Day(864_000, 5, 0.0864)
    assert archive_costs.day_of(figures, 10, 2).objects == 6
    assert archive_costs.day_of({"archive_bytes_per_log": 320.0}, 10, 2).objects == 10  # of 32 MB at most


def test_a_year_is_priced_by_the_classes_that_it_lies_in() -> None:
    moved, small = archive_costs.Day(1.0, 10, 1.0), archive_costs.Day(1.0, 10_000, 1.0)
    assert archive_costs.kept_dollars(PRICES, moved) == pytest.approx(30 * 0.023 + 60 * 0.0125 + 275 * 0.004)
    assert archive_costs.kept_dollars(PRICES, small) == pytest.approx(365 * 0.023)
    a_thousand = replace(moved, objects=1_000)
    assert archive_costs.request_dollars(PRICES, a_thousand) == pytest.approx(730 / 24 * (0.0054 + 0.01 + 0.02))
    assert archive_costs.read_dollars(PRICES, a_thousand) == pytest.approx(0.03 + 0.01)


def test_the_archive_priced_is_the_one_that_is_made() -> None:
    rules = yaml_parse((REPOSITORY / "template.yaml").read_text())["Resources"]["ArchiveBucket"]["Properties"]
    moves = rules["LifecycleConfiguration"]["Rules"][0]["Transitions"]
    assert [(move["StorageClass"], move["TransitionInDays"]) for move in moves] == [
        ("STANDARD_IA", archive_costs.INFREQUENT_DAYS),
        ("GLACIER_IR", archive_costs.GLACIER_DAYS),
    ]


def test_an_estimate_has_the_prices_of_the_page() -> None:
    rehydrator = load_app("archive").Rehydrator
    told = rehydrator.estimate.__globals__
    assert told["_DOLLARS_PER_GIGABYTE"] == PRICES["s3_glacier_gb_read"]
    assert told["_DOLLARS_PER_REQUEST"] == PRICES["s3_glacier_thousand_gets"] / 1_000


def test_tables_stand_between_their_marks() -> None:
    page = "a\n<!-- x -->\nold\n<!-- /x -->\nb"
    assert sizing.renewed(page, {"x": "| new |"}) == "a\n<!-- x -->\n| new |\n<!-- /x -->\nb"
    with pytest.raises(ValueError, match="no place for the table 'y'"):
        sizing.renewed(page, {"y": ""})


def test_every_size_of_a_batch_is_priced() -> None:
    heads = sizing.tables(MEASURED, PRICES)["bill"].splitlines()[0]
    assert all(f"{batch:,} a request" in heads for batch in BATCHES)


def test_the_servers_priced_are_those_that_are_made() -> None:
    templates = {path.stem: yaml_parse(path.read_text()) for path in (REPOSITORY / "infra/aws").glob("*.yaml")}
    kinds = [
        (resource["Type"], resource["Properties"])
        for template in (*templates.values(), yaml_parse((REPOSITORY / "template.yaml").read_text()))
        for resource in template["Resources"].values()
    ]
    interfaces = [
        one for kind, one in kinds if kind == "AWS::EC2::VPCEndpoint" and one["VpcEndpointType"] == "Interface"
    ]
    assert len(interfaces) == sizing.ENDPOINTS
    assert abs(len([kind for kind, _ in kinds if kind == "AWS::CloudWatch::Alarm"]) - sizing.ALARMS) <= 8
    (group,) = (one for kind, one in kinds if kind == "AWS::ElastiCache::ReplicationGroup")
    assert group["ReplicasPerNodeGroup"] + 1 == sizing.CACHES
    assert templates["foundation"]["Parameters"]["StorageGigabytes"]["Default"] == sizing.FIRST_DISK_GB
    for size in sizing.SIZES:
        servers = {
            name: template["Mappings"]["Sizes"][size.name]
            for name, template in templates.items()
            if "Mappings" in template
        }
        assert servers["database"]["Class"] == size.database
        assert servers["queue"]["Class"] == size.cache
        bouncer = servers["bouncer"]
        assert (bouncer["Tasks"], int(bouncer["Cpu"]) / 1024) == size.bouncer
        assert int(bouncer["Memory"]) == 2 * int(bouncer["Cpu"])
