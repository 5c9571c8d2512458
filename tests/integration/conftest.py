"""The query function on the suite's servers."""

import pytest
import redis

from desk import Desk, app
from scratch import Scratch


@pytest.fixture
def desk(scratch: Scratch, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(scratch, redis_client)
    monkeypatch.setattr(app, "_dependencies", lambda: desk.use_case)
    return desk
