"""The contract of ObjectStore, for a folder and for S3, with and without versions."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fakes.objects import FolderObjects
from sluice.archive.aws import S3Objects
from sluice.archive.ports import ObjectStore
from sluice.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "archive"
KEY = "logs/class=standard/application=1/day=2026-05-04/part-00000-1-0.ndjson.gz"


@pytest.fixture(params=["folder", "s3", "versioned s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "folder":
        yield FolderObjects(tmp_path)
        return
    client: S3Client = request.getfixturevalue("s3_client")
    client.create_bucket(Bucket=BUCKET)
    if request.param == "versioned s3":
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    yield S3Objects(client, BUCKET)


def test_what_was_written_is_read(store: ObjectStore) -> None:
    store.put(KEY, b"\x00\xff")
    store.put(KEY, b"the last one counts")
    assert store.get(KEY) == b"the last one counts"


def test_nothing_is_there_before_and_after(store: ObjectStore) -> None:
    assert store.get(KEY) is None
    store.put(KEY, b"x")
    store.put(KEY + "x", b"another")
    store.delete(KEY)
    assert store.get(KEY) is None
    assert store.get(KEY + "x") == b"another"
    store.delete(KEY)


def test_a_deleted_object_leaves_no_version(s3_client: Any) -> None:
    s3_client.create_bucket(Bucket=BUCKET)
    s3_client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    store = S3Objects(s3_client, BUCKET)
    store.put(KEY, b"first")
    store.put(KEY, b"second")
    s3_client.delete_object(Bucket=BUCKET, Key=KEY)  # somebody's
    store.delete(KEY)
    left = s3_client.list_object_versions(Bucket=BUCKET)
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")


def test_a_bucket_that_is_not_there_is_an_outage(s3_client: Any) -> None:
    store = S3Objects(s3_client, "nowhere")
    with pytest.raises(Unavailable):
        store.put(KEY, b"")
    with pytest.raises(Unavailable):
        store.delete(KEY)
