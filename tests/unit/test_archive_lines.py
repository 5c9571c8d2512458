"""Objects of the archive as bytes, and as others are told to read them."""

import re
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest

from fakes import NOON
from sluice.archive.lines import Line, Packer, check_content
from sluice.archive.model import Content, DueDay, OpenDay, Place, object_key
from sluice.errors import ContractError

ATHENA = Path(__file__).parents[2] / "infra" / "aws" / "athena.sql"


def content(*positions: int) -> Content:
    """An object of rows at these positions."""
    packer, batch = Packer(), UUID(int=7)
    for position in positions:
        line = (
            f'{{"id":"{batch.hex}-{position}","timestamp":"{NOON.isoformat()}","received_at":"{NOON.isoformat()}",'
            '"level":"INFO","flags":0,"message":"m","metadata":{}}'
        )
        packer.add(Place(NOON, batch, position), NOON, line.encode())
    return packer.finish()


def check(found: Content) -> None:
    check_content(found.data, sha256=found.sha256, row_count=found.row_count)


def test_rows_in_order_are_fine() -> None:
    check(content(0, 1, 5))


@pytest.mark.parametrize("positions", [(0, 1, 1), (0, 2, 1)], ids=["twice", "out of order"])
def test_a_row_that_is_there_twice_is_found(positions: tuple[int, ...]) -> None:
    """Even if the object is what the manifest says."""
    with pytest.raises(ContractError, match="not behind"):
        check(content(*positions))


def test_rows_are_counted() -> None:
    found = content(0, 1)
    with pytest.raises(ContractError, match="2 rows instead of 3"):
        check_content(found.data, sha256=found.sha256, row_count=3)


def test_the_table_of_athena_is_that_of_the_objects() -> None:
    statement = ATHENA.read_text().partition("CREATE EXTERNAL TABLE")[2]
    columns = re.findall(r"^    `?(\w+)`? +(?:string|int|bigint),?$", statement, re.MULTILINE)
    assert columns == list(Line.__struct_fields__)
    partitions = re.findall(r"(\w+) \w+", re.search(r"PARTITIONED BY \((.+)\)", statement)[1])  # type: ignore[index]
    key = object_key(OpenDay(1, DueDay(1, "standard", date(2026, 5, 4), is_archived=True), 0), 17, 0)
    values = dict(zip(partitions, ("standard", "17", "2026-05-04"), strict=True))
    (template,) = re.findall(r"'s3://BUCKET/(.+)\$\{day\}/'", statement)
    folder = template + "${day}/"
    for name, value in values.items():
        folder = folder.replace(f"${{{name}}}", value)
    assert key.startswith(folder)
