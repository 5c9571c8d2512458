"""The classic architecture that Sluice is compared with: a Django REST Framework view, a Redis stream, a Celery worker.

One file is everything: settings, model, view, tasks, and a child process that the benchmark drives (see contender.py).
It runs in build/baseline, an environment of its own, and reads BASELINE_* from the environment.

The view checks a key (cached in the process, as Sluice does), validates one log with a serializer and makes one XADD.
The worker has two processes: a task reads 500 entries, hands chunks of 100 out through a group and starts itself again
while it finds as many; a chunk is written by ``bulk_create`` and then acknowledged. Logs travel as JSON text and are
decoded once; nothing waits, retries or logs; results are ignored.
"""

# The baseline's packages are not where types are checked.
# mypy: disable-error-code="import-not-found, misc, untyped-decorator, no-any-return"

import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import django
import redis
from celery import Celery, group
from django.conf import settings

from benchmarks.contender import serve
from benchmarks.logs import make_logs, single

READ_COUNT = 500
CHUNK_SIZE = 100
STREAM, GROUP, CONSUMER = "baseline:logs", "workers", "worker"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

settings.configure(
    ALLOWED_HOSTS=["*"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": os.environ["BASELINE_PGBOUNCER_PORT"],
            "NAME": os.environ["BASELINE_DATABASE"],
            "USER": "sluice_owner",
            "PASSWORD": os.environ["BASELINE_PASSWORD"],
            "CONN_MAX_AGE": None,
            "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer in transaction mode
        }
    },
    LOGGING_CONFIG=None,
    MIDDLEWARE=[],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="benchmark",
    USE_TZ=True,
)
django.setup()

from django.core.cache import cache as django_cache  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import exceptions, serializers  # noqa: E402
from rest_framework.authentication import BaseAuthentication  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

celery = Celery("baseline", broker=os.environ["BASELINE_BROKER_URL"])
celery.conf.update(
    task_ignore_result=True,
    task_compression=None,
    worker_prefetch_multiplier=4,
    worker_send_task_events=False,
    broker_pool_limit=4,
    broker_connection_retry_on_startup=True,
)


class ApiKey(models.Model):
    """A sender's key; what is kept of it is a hash."""

    secret_hash = models.CharField(max_length=64, unique=True)
    application_id = models.IntegerField()

    class Meta:
        app_label = "baseline"
        db_table = "baseline_keys"


class LogEntry(models.Model):
    """One log, with the two indexes that Sluice's table has."""

    application_id = models.IntegerField()
    received_at = models.DateTimeField()
    timestamp = models.DateTimeField()
    level = models.CharField(max_length=8)
    message = models.TextField()
    service = models.TextField()
    host = models.TextField()
    trace_id = models.TextField()
    metadata = models.JSONField()

    class Meta:
        app_label = "baseline"
        db_table = "baseline_logs"
        indexes = (
            models.Index(fields=["application_id", "timestamp"], name="baseline_by_event"),
            models.Index(fields=["application_id", "received_at"], name="baseline_by_receipt"),
        )


@cache
def stream() -> Any:
    """The process's Redis client."""
    return redis.Redis.from_url(os.environ["BASELINE_REDIS_URL"])


class KeyAuthentication(BaseAuthentication):
    """X-API-Key; a key that was found stays in the cache for 5 s, as long as with Sluice."""

    def authenticate(self, request: Request) -> tuple[Any, int]:
        secret_hash = hashlib.sha256(request.headers.get("X-API-Key", "").encode()).hexdigest()
        application_id = django_cache.get(secret_hash)
        if application_id is None:
            key = ApiKey.objects.filter(secret_hash=secret_hash).first()
            if key is None:
                raise exceptions.AuthenticationFailed
            application_id = key.application_id
            django_cache.set(secret_hash, application_id, 5)
        return None, application_id


class LogSerializer(serializers.Serializer):
    """One log as clients send it."""

    timestamp = serializers.DateTimeField()
    level = serializers.ChoiceField(LEVELS)
    message = serializers.CharField(max_length=65_536, trim_whitespace=False)
    service = serializers.CharField(max_length=200, required=False, default="")
    host = serializers.CharField(max_length=200, required=False, default="")
    trace_id = serializers.CharField(max_length=200, required=False, default="")
    metadata = serializers.DictField(required=False, default=dict)


class LogsView(APIView):
    """POST one log: 202 when the stream has it."""

    authentication_classes = (KeyAuthentication,)

    def post(self, request: Request) -> Response:
        serializer = LogSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        log = serializer.validated_data
        log["timestamp"] = log["timestamp"].isoformat()
        entry_id = stream().xadd(STREAM, {"log": packed(log, request.auth)})
        return Response({"id": entry_id.decode()}, status=202)


def packed(log: dict[str, Any], application_id: int) -> str:
    """What the stream holds of a log."""
    now = time.time()
    return json.dumps(log | {"application_id": application_id, "received_at": now}, separators=(",", ":"))


urlpatterns = [path("logs", LogsView.as_view())]
application = get_wsgi_application()


@celery.task(name="drain")
def drain() -> None:
    """Reads 500 entries, starts itself again if there were as many, and hands them out."""
    answer = stream().xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, count=READ_COUNT)
    if not answer:
        return
    entries = [(entry_id.decode(), fields[b"log"].decode()) for entry_id, fields in answer[0][1]]
    chunks = [entries[start : start + CHUNK_SIZE] for start in range(0, len(entries), CHUNK_SIZE)]
    if len(entries) == READ_COUNT:
        drain.delay()
    group(store.s(chunk) for chunk in chunks).apply_async()


@celery.task(name="store")
def store(chunk: list[tuple[str, str]]) -> None:
    """Writes one chunk, then acknowledges and deletes it."""
    LogEntry.objects.bulk_create([_row(json.loads(text)) for _, text in chunk])
    ids = [entry_id for entry_id, _ in chunk]
    pipeline = stream().pipeline(transaction=False)
    pipeline.xack(STREAM, GROUP, *ids)
    pipeline.xdel(STREAM, *ids)
    pipeline.execute()


def _row(log: dict[str, Any]) -> LogEntry:
    log["received_at"] = datetime.fromtimestamp(log["received_at"], UTC)
    log["timestamp"] = datetime.fromisoformat(log["timestamp"])
    return LogEntry(**log)


class Driver:
    """What the benchmark has done here, in a process that runs neither worker nor server."""

    def __init__(self) -> None:
        """Makes empty tables, a stream with its group, and one key."""
        self._key = os.environ["BASELINE_KEY"]
        with connection.schema_editor() as editor:
            editor.create_model(ApiKey)
            editor.create_model(LogEntry)
        ApiKey.objects.create(secret_hash=hashlib.sha256(self._key.encode()).hexdigest(), application_id=1)
        stream().xgroup_create(STREAM, GROUP, "0", mkstream=True)
        self._queued: dict[tuple[int, int], bytes] = {}

    def view(self, count: int, seed: int) -> float:
        """Seconds for ``count`` requests, one after the other."""
        now = datetime.now(UTC)
        requests = [self._request(single(log, now).vary(seed)) for log in make_logs(count, seed)]
        statuses: set[str] = set()
        started = time.perf_counter()
        for request in requests:
            b"".join(application(request, lambda status, _headers: statuses.add(status)))
        seconds = time.perf_counter() - started
        if statuses != {"202 Accepted"}:
            raise RuntimeError(f"the baseline answers {statuses}")
        stream().xtrim(STREAM, maxlen=0)
        return seconds

    def fill(self, count: int, seed: int) -> None:
        """Queues ``count`` logs in the empty stream, as the view would; from the second time on, the same as before."""
        if (count, seed) not in self._queued:
            pipeline = stream().pipeline(transaction=False)
            now = datetime.now(UTC)
            for log in make_logs(count, seed):
                pipeline.xadd(STREAM, {"log": packed(json.loads(single(log, now).vary(seed)), 1)})
            pipeline.execute()
            self._queued[count, seed] = stream().dump(STREAM)
        stream().restore(STREAM, 0, self._queued[count, seed], replace=True)

    def count(self) -> int:
        """How many rows the table holds."""
        return int(LogEntry.objects.count())

    def empty(self) -> int:
        """Empties the table; returns how many rows it held."""
        count = self.count()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE baseline_logs")
        return count

    def start_draining(self) -> None:
        """One task, which starts its successors."""
        drain.delay()

    def _request(self, body: bytes) -> dict[str, Any]:
        """A request as a WSGI server hands it over."""
        return {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/logs",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_X_API_KEY": self._key,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        }


def actions() -> dict[str, Callable[..., Any]]:
    """What the benchmark may ask for."""
    driver = Driver()
    return {name: getattr(driver, name) for name in ("view", "fill", "count", "empty", "start_draining")}


if __name__ == "__main__":
    serve(actions)
