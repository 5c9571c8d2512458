"""Webhooks over HTTP, to hosts that anybody may have named.

A name is looked up once for each attempt; every address must be public, and the connection goes to one of exactly
these. Redirects are not followed, proxies are not asked, and an answer is read to a bound of bytes and time.
"""

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection

from sluice.errors import RejectedInput
from sluice.notifications.addresses import AddressPolicy, Target, check_addresses, check_url
from sluice.notifications.messages import slack_body, webhook_body
from sluice.notifications.model import ChannelKind, Outcome, Result, Task
from sluice.notifications.ports import Resolver
from sluice.notifications.signing import signature_headers

SECONDS = 10.0  # for one attempt: connecting, sending and the answer
MAX_ANSWER_BYTES = 4_096
MAX_ADDRESSES = 3  # that are tried
_MAX_RETRY_AFTER_SECONDS = 3_600
_EXCERPT_CHARACTERS = 120
_UNPRINTABLE = re.compile(r"[^ -~]+")


def resolve(host: str, port: int) -> Sequence[str]:
    """See Resolver: the system's."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class HttpSender:
    """See Sender: kinds webhook (signed) and slack."""

    policy: AddressPolicy
    resolver: Resolver = resolve
    clock: Callable[[], float] = time.time
    context: Callable[[], ssl.SSLContext] = ssl.create_default_context
    seconds: float = SECONDS

    def send(self, task: Task) -> Outcome:
        """See Sender.send."""
        try:
            target = check_url(task.target, self.policy)
            addresses = self.resolver(target.host, target.port)
            if not target.is_allowed:
                check_addresses(addresses)
        except RejectedInput as error:
            return Outcome(Result.REFUSED, error.code, detail=error.detail)
        except OSError:
            return Outcome(Result.FAILED, "host_unknown", detail="the name of the host could not be looked up")
        seconds = min(self.seconds, task.not_after - self.clock())
        if seconds <= 0:
            return Outcome(Result.FAILED, "lease_over", detail="nothing was sent: it began too late")
        body, headers = self._request(task)
        try:
            with self._connected(target, addresses, seconds) as connection:
                connection.request("POST", target.path, body, headers)
                return _outcome(connection.getresponse())
        except ssl.SSLError as error:
            return Outcome(Result.FAILED, "tls_failed", detail=_excerpt(error.reason or "no TLS"))
        except TimeoutError:
            return Outcome(Result.FAILED, "timeout", detail="no answer in time")
        except (OSError, HTTPException, ValueError) as error:
            return Outcome(Result.FAILED, "connection_failed", detail=type(error).__name__)

    def _request(self, task: Task) -> tuple[bytes, dict[str, str]]:
        headers = {"Content-Type": "application/json", "User-Agent": "Sluice", "Connection": "close"}
        if task.kind is ChannelKind.SLACK:
            return slack_body(task.message), headers
        body = webhook_body(task.message)
        return body, headers | signature_headers(task.message_id, int(self.clock()), body, task.secrets)

    @contextmanager
    def _connected(self, target: Target, addresses: Sequence[str], seconds: float) -> Iterator[HTTPConnection]:
        """A connection to one of the addresses, which ends after ``seconds`` whatever the other side does."""
        with closing(_connect(addresses, target.port, seconds)) as wire, _cut_off(wire, seconds):
            if target.scheme == "https":
                context = self.context()
                stream: socket.socket = context.wrap_socket(wire, server_hostname=target.host)
                connection: HTTPConnection = HTTPSConnection(target.host, target.port, context=context)
            else:
                stream, connection = wire, HTTPConnection(target.host, target.port)
            connection.sock = stream
            connection.auto_open = 0  # it would look the name up again
            with closing(stream), closing(connection):
                yield connection


def _connect(addresses: Sequence[str], port: int, seconds: float) -> socket.socket:
    """To the first that answers. Raises OSError."""
    ends_at = time.monotonic() + seconds
    failure: OSError = TimeoutError()
    for address in addresses[:MAX_ADDRESSES]:
        left = ends_at - time.monotonic()
        if left <= 0:
            break
        try:
            wire = socket.create_connection((address, port), timeout=left)
        except OSError as error:
            failure = error
        else:
            wire.settimeout(max(0.001, ends_at - time.monotonic()))
            return wire
    raise failure


@contextmanager
def _cut_off(wire: socket.socket, seconds: float) -> Iterator[None]:
    """Ends the connection from another thread when time is up: a receiver that sends a byte now and then never runs
    into a socket's own time-out."""
    is_cut = threading.Event()
    with socket.socket(fileno=os.dup(wire.fileno())) as copy:

        def end() -> None:
            is_cut.set()
            with suppress(OSError):
                copy.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, HTTPException) as error:
            if is_cut.is_set():
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
            timer.join()


def _outcome(response: HTTPResponse) -> Outcome:
    """2xx: it arrived, whatever follows; 410: nobody wants it any more; anything else may pass, a redirect included."""
    status = response.status
    if 200 <= status < 300:
        return Outcome(Result.DELIVERED, "delivered", status)
    answer = b""
    with suppress(OSError, HTTPException, ValueError):
        answer = response.read(MAX_ANSWER_BYTES)
    detail = _excerpt(answer.decode("utf-8", "replace"))
    if status == 410:
        return Outcome(Result.REFUSED, "gone", status, detail)
    code = "redirected" if 300 <= status < 400 else "refused_by_receiver" if status < 500 else "receiver_failed"
    return Outcome(Result.FAILED, code, status, detail, _retry_after(response.headers))


def _retry_after(headers: HTTPMessage) -> int | None:
    """Seconds; the form with a date is left alone."""
    value = headers.get("retry-after") or ""
    is_number = value.isascii() and value.isdigit() and len(value) < 10
    return min(int(value), _MAX_RETRY_AFTER_SECONDS) if is_number else None


def _excerpt(text: str) -> str:
    """A line of what a stranger said: no markup, nothing that a terminal obeys."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).replace("<", " ").replace(">", " ").split())
    return line[:_EXCERPT_CHARACTERS]
