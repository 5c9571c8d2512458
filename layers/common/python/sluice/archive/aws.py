"""Objects in S3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sluice.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def connect_s3() -> "S3Client":
    """A client that gives up soon enough for its function to say so. Paths, not host names: emulators have one host."""
    return boto3.client(
        "s3",
        config=Config(
            retries={"total_max_attempts": 3, "mode": "standard"},
            connect_timeout=3,
            read_timeout=30,
            s3={"addressing_style": "path"},
        ),
    )


class S3Objects:
    """See ObjectStore."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def put(self, key: str, data: bytes) -> None:
        """See ObjectStore.put."""
        with _translated():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType="application/gzip")

    def get(self, key: str) -> bytes | None:
        """See ObjectStore.get."""
        with _translated():
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None

    def delete(self, key: str) -> None:
        """See ObjectStore.delete. Versions are looked for whether or not the bucket is said to keep them."""
        with _translated():
            self._client.delete_object(Bucket=self._bucket, Key=key)
            for version_id in self._versions(key):
                self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=version_id)

    def _versions(self, key: str) -> list[str]:
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
        return [
            item["VersionId"]
            for page in pages
            for item in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            if item["Key"] == key
        ]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable("archive_unavailable", str(error)) from error
