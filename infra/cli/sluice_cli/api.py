"""The HTTP API as a class: retries, idempotency and the problem+json answers are dealt with here."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from sluice_cli.environment import is_loopback
from sluice_cli.errors import CliError, DeniedError, RefusedError, SettingsError, UnavailableError
from sluice_cli.retry import RETRIED_STATUSES, RetryPolicy

type JsonObject = dict[str, Any]
type Notice = Callable[[str], None]

PAGE_LOGS = 1000
EXPORT_LOGS = 10_000
# Sending goes through a restart of the servers; whoever reads is waiting and can ask again.
INGEST_POLICY = RetryPolicy(attempts=8)
READ_POLICY = RetryPolicy(attempts=4)
_ONCE = RetryPolicy(attempts=1)
_TIMEOUTS_SECONDS = (5.0, 30.0)  # connect, read
_KEY_HINT = "Make a key with `sluice keys create APP` and give it as SLUICE_API_KEY or --key."


@dataclass(frozen=True)
class Rejection:
    """One record that was not taken: its position in the batch, the field at fault, and why."""

    index: int
    pointer: str
    code: str
    detail: str


@dataclass(frozen=True)
class Receipt:
    """The answer to an accepted batch of `accepted + rejected_count` records; `rejected` lists the first of these."""

    batch_id: str
    accepted: int
    rejected: tuple[Rejection, ...]
    rejected_count: int = 0  # at least as many as are listed

    @property
    def unlisted_count(self) -> int:
        """How many were rejected without being listed."""
        return max(self.rejected_count - len(self.rejected), 0)

    def log_ids(self) -> set[str]:
        """Ids under which the batch's accepted records are stored; only those for certain if not all rejections are
        listed."""
        left_out = {rejection.index for rejection in self.rejected}
        end = max(left_out, default=0) if self.unlisted_count else self.accepted + len(left_out)
        positions = range(end)
        return {f"{self.batch_id}-{position}" for position in positions if position not in left_out}


class RequestRefusedError(RefusedError):
    """A request that will never be taken; `rejected` has the records at fault, if the answer named them, `problem` the
    whole answer."""

    def __init__(
        self, message: str, code: str, rejected: tuple[Rejection, ...], problem: JsonObject | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.rejected = rejected
        self.problem = problem or {}


class Api:
    """One deployment's HTTP API. Methods raise SettingsError, DeniedError, RefusedError or UnavailableError."""

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        session: requests.Session | None = None,
        wait: Callable[[float], None] = time.sleep,
        notice: Notice = lambda _: None,
    ) -> None:
        """`notice` is told of every wait before another try."""
        self.url = url.rstrip("/")
        self._key = key
        self._session = session or _make_session(self.url)
        self._wait = wait
        self.notice = notice

    def ingest(self, records: Sequence[JsonObject], idempotency_key: str) -> Receipt:
        """Hands in a batch. The same key on every try makes the retry of a lost answer no duplicate."""
        body = gzip.compress(json.dumps(records, separators=(",", ":")).encode(), compresslevel=3)
        # The body is declared as what it is. As a content *coding* of JSON it would be read as text by some gateways.
        headers = {"Content-Type": "application/gzip", "Idempotency-Key": idempotency_key}
        answer = self._call("POST", "/api/ingest/", INGEST_POLICY, headers=headers, data=body)
        return _receipt(answer)

    def logs(self, filters: Mapping[str, str], limit: int | None) -> Iterator[JsonObject]:
        """Stored logs, newest first, fetched page by page; at most `limit`, None for all."""
        cursor: str | None = None
        remaining = limit
        while remaining is None or remaining > 0:
            size = PAGE_LOGS if remaining is None else min(PAGE_LOGS, remaining)
            query = {**filters, "limit": str(size), **({"cursor": cursor} if cursor else {})}
            page = self._call("GET", "/api/logs", READ_POLICY, params=query)
            yield from page["logs"]
            remaining = None if remaining is None else remaining - len(page["logs"])
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def csv_pages(self, filters: Mapping[str, str], limit: int | None) -> Iterator[str]:
        """Stored logs as CSV, newest first, page by page, the heading once; at most `limit`, None for all."""
        cursor: str | None = None
        remaining = limit
        while remaining is None or remaining > 0:
            size = EXPORT_LOGS if remaining is None else min(EXPORT_LOGS, remaining)
            query = {**filters, "format": "csv", "limit": str(size), **({"cursor": cursor} if cursor else {})}
            page = self._call("GET", "/api/logs", READ_POLICY, read=_page, params=query)
            heading, _, rows = page["text"].partition("\n")
            yield rows if cursor else f"{heading}\n{rows}"
            remaining = None if remaining is None else remaining - sum(1 for _ in csv.reader(io.StringIO(rows)))
            cursor = page["next_cursor"]
            if not cursor:
                return

    def log(self, log_id: str, around: int) -> JsonObject:
        """One log, and those before and after it."""
        sides = {"before": str(around), "after": str(around)}
        return self._call("GET", f"/api/logs/{quote(log_id, safe='')}", READ_POLICY, params=sides)

    def histogram(self, query: Mapping[str, str]) -> JsonObject:
        """Counts over time."""
        return self._call("GET", "/api/histogram", READ_POLICY, params=dict(query))

    def batches(self, batch_id: str) -> JsonObject:
        """What became of a request, or of those of a trace."""
        return self._call("GET", f"/api/batches/{batch_id}", READ_POLICY)

    def templates(self, query: Mapping[str, str]) -> JsonObject:
        """What logs say, and how often."""
        return self._call("GET", "/api/templates", READ_POLICY, params=dict(query))

    def diff(self, query: Mapping[str, str]) -> JsonObject:
        """What a version changed."""
        return self._call("GET", "/api/diff", READ_POLICY, params=dict(query))

    def anomalies(self, query: Mapping[str, str]) -> JsonObject:
        """What was unusual."""
        return self._call("GET", "/api/anomalies", READ_POLICY, params=dict(query))

    def anomaly(self, anomaly_id: int) -> JsonObject:
        """One anomaly, and what it looked like."""
        return self._call("GET", f"/api/anomalies/{anomaly_id}", READ_POLICY)

    def judge_anomaly(self, anomaly_id: int, verdict: str | None) -> JsonObject:
        """Says that it was useful or noise; None takes that back."""
        return self._call("PUT", f"/api/anomalies/{anomaly_id}/feedback", READ_POLICY, json={"verdict": verdict})

    def backtest_anomalies(self, asked: JsonObject) -> JsonObject:
        """What would have been found, as far as it is."""
        return self._call("POST", "/api/anomalies/backtest", READ_POLICY, json=asked)

    def template(self, template_id: int, query: Mapping[str, str]) -> JsonObject:
        """One template, and what stands in its places."""
        return self._call("GET", f"/api/templates/{template_id}", READ_POLICY, params=dict(query))

    def rules(self, application: str | None = None) -> Iterator[JsonObject]:
        """Alert rules, page by page."""
        query = {"limit": "500", **({"application": application} if application else {})}
        while True:
            page = self._call("GET", "/api/rules", READ_POLICY, params=query)
            yield from page["rules"]
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    def rule(self, rule_id: int) -> JsonObject:
        """One alert rule."""
        return self._call("GET", f"/api/rules/{rule_id}", READ_POLICY)

    def create_rule(self, members: JsonObject) -> JsonObject:
        """A new alert rule."""
        return self._call("POST", "/api/rules", READ_POLICY, json=members)

    def change_rule(self, rule_id: int, members: JsonObject) -> JsonObject:
        """An alert rule, changed."""
        return self._call("PATCH", f"/api/rules/{rule_id}", READ_POLICY, json=members)

    def delete_rule(self, rule_id: int) -> JsonObject:
        """What the alert rule was."""
        return self._call("DELETE", f"/api/rules/{rule_id}", READ_POLICY)

    def test_rule(self, members: JsonObject) -> JsonObject:
        """When an alert rule would have fired."""
        return self._call("POST", "/api/rules/test", READ_POLICY, json=members)

    def incidents(self, query: Mapping[str, str]) -> JsonObject:
        """Incidents, the newest first."""
        return self._call("GET", "/api/incidents", READ_POLICY, params=dict(query))

    def incident(self, incident_id: str) -> JsonObject:
        """One incident, and what was told of it."""
        return self._call("GET", f"/api/incidents/{quote(incident_id, safe='')}", READ_POLICY)

    def acknowledge(self, incident_id: str, note: str | None) -> JsonObject:
        """The incident, acknowledged."""
        path = f"/api/incidents/{quote(incident_id, safe='')}/acknowledge"
        return self._call("POST", path, READ_POLICY, json={"note": note})

    def channels(self, application: str | None = None) -> Iterator[JsonObject]:
        """Channels, page by page."""
        query = {"limit": "500", **({"application": application} if application else {})}
        while True:
            page = self._call("GET", "/api/channels", READ_POLICY, params=query)
            yield from page["channels"]
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    def create_channel(self, members: JsonObject) -> JsonObject:
        """A new channel; only this answer has a webhook's signing secret."""
        return self._call("POST", "/api/channels", READ_POLICY, json=members)

    def change_channel(self, channel_id: str, members: JsonObject) -> JsonObject:
        """A channel, changed."""
        return self._call("PATCH", f"/api/channels/{quote(channel_id, safe='')}", READ_POLICY, json=members)

    def delete_channel(self, channel_id: str) -> JsonObject:
        """What the channel was."""
        return self._call("DELETE", f"/api/channels/{quote(channel_id, safe='')}", READ_POLICY)

    def test_channel(self, channel_id: str) -> JsonObject:
        """How an attempt to send a test ended; there is no second one."""
        return self._call("POST", f"/api/channels/{quote(channel_id, safe='')}/test", _ONCE, json={})

    def rotate_channel(self, channel_id: str) -> JsonObject:
        """A channel with a new signing secret, which only this answer has."""
        return self._call("POST", f"/api/channels/{quote(channel_id, safe='')}/rotate", _ONCE, json={})

    def silences(self, query: Mapping[str, str]) -> JsonObject:
        """Silences, the one that ends last first."""
        return self._call("GET", "/api/silences", READ_POLICY, params=dict(query))

    def create_silence(self, members: JsonObject) -> JsonObject:
        """A new silence."""
        return self._call("POST", "/api/silences", _ONCE, json=members)

    def expire_silence(self, silence_id: str) -> JsonObject:
        """A silence, ended."""
        return self._call("DELETE", f"/api/silences/{quote(silence_id, safe='')}", READ_POLICY)

    def windows(self, query: Mapping[str, str]) -> JsonObject:
        """Maintenance windows that are not over."""
        return self._call("GET", "/api/maintenance-windows", READ_POLICY, params=dict(query))

    def create_window(self, members: JsonObject) -> JsonObject:
        """A new maintenance window."""
        return self._call("POST", "/api/maintenance-windows", _ONCE, json=members)

    def delete_window(self, window_id: str) -> JsonObject:
        """What the maintenance window was."""
        return self._call("DELETE", f"/api/maintenance-windows/{quote(window_id, safe='')}", READ_POLICY)

    def deliveries(self, query: Mapping[str, str]) -> JsonObject:
        """What became of events on their channels, the newest first."""
        return self._call("GET", "/api/deliveries", READ_POLICY, params=dict(query))

    def tail(self, filters: Mapping[str, str], cursor: str | None = None) -> JsonObject:
        """What was stored since the answer with this cursor, as soon as there is something, or after 20 s."""
        query = {**filters, **({"cursor": cursor} if cursor else {})}
        return self._call("GET", "/api/tail", INGEST_POLICY, params=query)

    def ledger(self) -> JsonObject:
        """The counts per application and in total."""
        return self._call("GET", "/api/ledger", READ_POLICY)

    def health(self) -> JsonObject:
        """Asks without a key and once: an operator wants to know how it is now. Raises UnavailableError."""
        return self._call("GET", "/healthz", _ONCE, with_key=False)

    def _call(
        self,
        method: str,
        path: str,
        policy: RetryPolicy,
        *,
        with_key: bool = True,
        read: Callable[[str, requests.Response], JsonObject] | None = None,
        **request: Any,
    ) -> JsonObject:
        """The JSON object of a 2xx answer, or what `read` makes of it, after as many tries as the policy allows."""
        headers = {**request.pop("headers", {}), **(self._key_header() if with_key else {})}
        attempt = 0
        while True:
            attempt += 1
            result = self._try_once(method, path, read or _object, headers=headers, **request)
            if isinstance(result, dict):
                return result
            pause = policy.pause_seconds(attempt, result.retry_after)
            if pause is None:
                raise result.error
            self.notice(f"{result.error.message.rstrip('. ')}; trying again in {pause:g} s")
            self._wait(pause)

    def _try_once(
        self, method: str, path: str, read: Callable[[str, requests.Response], JsonObject], **request: Any
    ) -> JsonObject | _Later:
        try:
            answer = self._session.request(
                method, self.url + path, timeout=_TIMEOUTS_SECONDS, allow_redirects=False, **request
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            return _Later(_unreachable(self.url, error), None)
        except requests.RequestException as error:
            raise RefusedError(f"{method} {self.url}{path} failed: {error}", "Check --url and SLUICE_URL.") from error
        if answer.status_code in RETRIED_STATUSES:
            later = UnavailableError(f"{self.url} answered {_told(answer)}", "Try again later.")
            return _Later(later, answer.headers.get("Retry-After"))
        if not answer.ok:
            raise _refusal(self.url, answer)
        return read(self.url, answer)

    def _key_header(self) -> dict[str, str]:
        if not self._key:
            raise SettingsError("No API key given", _KEY_HINT)
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise SettingsError("The API key has characters that no key has", _KEY_HINT)
        return {"X-API-Key": self._key}


@dataclass(frozen=True)
class _Later:
    """A failed try that may be repeated."""

    error: CliError
    retry_after: str | None


def _make_session(url: str) -> requests.Session:
    session = requests.Session()
    # Proxies of the environment are for the outside world, and would be asked for loopback addresses as well.
    session.trust_env = not is_loopback(url)
    return session


def _unreachable(url: str, error: Exception) -> UnavailableError:
    if isinstance(error, requests.ReadTimeout):
        return UnavailableError(f"{url} did not answer in time", "Look at `make status`, then try again.")
    hint = "Start the stack with `make up`." if is_loopback(url) else "Check the URL and your network."
    return UnavailableError(f"Nothing answers at {url}", hint)


def _refusal(url: str, answer: requests.Response) -> CliError:
    told = _told(answer)
    if answer.status_code in (401, 403):
        return DeniedError(f"The API key was not accepted ({told})", _KEY_HINT)
    if answer.status_code >= 500:
        return UnavailableError(f"{url} answered {told}", "The function's log says more: `make logs`.")
    problem = _problem(answer)
    return RequestRefusedError(told, str(problem.get("code", "")), _rejections(problem.get("errors", [])), problem)


def _told(answer: requests.Response) -> str:
    """What a problem+json answer says, e.g. "413 body_too_large: The body has 5000000 bytes, ..."."""
    problem = _problem(answer)
    code = problem.get("code") or problem.get("title") or answer.reason or "without a reason"
    detail = problem.get("detail") or problem.get("message")
    return f"{answer.status_code} {code}: {detail}" if detail else f"{answer.status_code} {code}"


def _problem(answer: requests.Response) -> JsonObject:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _object(url: str, answer: requests.Response) -> JsonObject:
    try:
        result = answer.json()
    except ValueError:
        result = None
    if isinstance(result, dict):
        return result
    raise RefusedError(f"{url} answered something that is no JSON object", "Is this the API's URL? Check --url.")


def _page(_: str, answer: requests.Response) -> JsonObject:
    return {"text": answer.content.decode(), "next_cursor": answer.headers.get("Sluice-Next-Cursor")}


def _receipt(answer: JsonObject) -> Receipt:
    rejected = _rejections(answer.get("rejected", []))
    rejected_count = int(answer.get("rejected_count", len(rejected)))
    return Receipt(str(answer["batch_id"]), int(answer["accepted"]), rejected, rejected_count)


def _rejections(entries: list[JsonObject]) -> tuple[Rejection, ...]:
    return tuple(
        Rejection(int(entry["index"]), str(entry.get("pointer", "")), str(entry["code"]), str(entry.get("detail", "")))
        for entry in entries
        if entry.get("index") is not None
    )
