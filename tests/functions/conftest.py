"""Fixtures of several test files of functions."""

import pytest

from front import Front, app


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Front:
    """The ingest function with fakes behind it."""
    front = Front()
    monkeypatch.setattr(app, "_dependencies", lambda: front.use_case)
    monkeypatch.setattr(app, "metric_counts", lambda: front.counts)
    monkeypatch.setattr(app.api, "_store", lambda: front.counts)
    return front
