"""Weeks of logs under their old times are taken in; test_found_anomalies.py looks at what is said of them."""

import pytest

from e2e.playing import TIMEOUT_SECONDS, Sent


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_weeks_of_logs_are_taken_in(sent: Sent) -> None:
    for each in sent.played:
        total = each.get("/api/ledger")["total"]
        assert total["stored"] == total["accepted"] > 0
        assert (total["dead_lettered"], total["unaccounted"]) == (0, 0)
