"""Malformed bodies against the handler: MALFORMED_BODIES=10000 is the longer size."""

import os
import resource

import pytest

from front import Front, app
from malformed import requests
from samples import PEPPER
from sluice.entries.packing import pack_record, unpack_records
from sluice.runtime.settings import IngestSettings

COUNT = int(os.environ.get("MALFORMED_BODIES", "400"))
AS_DEPLOYED = IngestSettings(
    "redis://r", "postgresql://d", PEPPER, 1, 4_194_304, 16_777_216, 10_000, 10**9, 500, 10**9, 10**12, 1
)
MAX_GROWTH_KIB = 300_000  # the function has 512 MB


@pytest.mark.timeout(1_200)
def test_no_body_is_a_server_error_and_what_is_accepted_reads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = refused = 0
    for request in requests(COUNT):
        front = Front(settings=AS_DEPLOYED)
        front.queue.backlog_limit_bytes = 10**9
        monkeypatch.setattr(app, "_dependencies", lambda front=front: front.use_case)
        headers = {"Content-Type": request.media_type, "Content-Encoding": request.encoding}
        answer = front.post(request.body, path=request.path, **headers)
        assert answer.status in (200, 202, 400, 413, 415), f"request {request.number}: {answer}"
        records = front.records()
        if answer.status == 202:
            assert len(records) == answer.body["accepted"], f"request {request.number}"
        for record in records:
            assert list(unpack_records(pack_record(record))) == [record]
            assert "\x00" not in record.message + record.metadata
        accepted += bool(records)
        refused += answer.status >= 400
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH_KIB
    assert min(accepted, refused) > COUNT // 10, "the generator makes both kinds"
