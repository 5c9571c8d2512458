from sluice_cli.draining import MAX_FAILED_PASSES, PATIENCE_SECONDS, Drainage, Outcome


def done(backlog: int, **counts: int) -> dict[str, int]:
    return {"stored": 0, "acknowledged": 0, "chunks_failed": 0, **counts, "backlog_entries": backlog}


def test_ends_when_the_queue_is_empty_with_the_sum_of_all_passes() -> None:
    drainage = Drainage(0)
    assert drainage.add(done(5, stored=10, acknowledged=1), 1) is None
    assert drainage.add(done(0, stored=50, acknowledged=5), 2) is Outcome.empty
    assert (drainage.passes, drainage.counts["stored"], drainage.counts["backlog_entries"]) == (2, 60, 0)


def test_passes_that_only_fail_end_it() -> None:
    drainage = Drainage(0)
    ends = [drainage.add(done(5, chunks_failed=1), 1) for _ in range(MAX_FAILED_PASSES)]
    assert ends == [None] * (MAX_FAILED_PASSES - 1) + [Outcome.stuck]


def test_what_somebody_else_holds_is_waited_for_as_long_as_a_dead_run_may_hold_it() -> None:
    drainage = Drainage(0)
    assert drainage.add(done(5), PATIENCE_SECONDS - 1) is None
    assert drainage.add(done(5), PATIENCE_SECONDS) is Outcome.stuck


def test_progress_of_any_kind_starts_the_patience_anew() -> None:
    drainage = Drainage(0)
    drainage.add(done(5), 1)
    assert drainage.add(done(4), PATIENCE_SECONDS + 50) is None, "another drain stored something"
    assert drainage.add(done(4, acknowledged=1, chunks_failed=1), 2 * PATIENCE_SECONDS + 49) is None
    assert drainage.add(done(4), 3 * PATIENCE_SECONDS + 48) is None
    assert drainage.add(done(4), 3 * PATIENCE_SECONDS + 49) is Outcome.stuck
