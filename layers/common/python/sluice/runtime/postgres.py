"""One Postgres connection per execution environment, and transactions on it."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor

from sluice.errors import ContractError, Poison, SluiceError, Unavailable

_IDLE_SECONDS = 10  # a connection silent for longer may have died while the environment was frozen
_LATER = ("08", "40", "53", "55", "57", "58", "XX")  # SQLSTATE classes that may pass by themselves
_NEVER = ("21", "22", "23502", "54")  # classes and states that condemn the data


class Database:
    """Transactions on one connection, opened on first use and reopened after a failure. Not for several threads.

    A transaction that takes longer than ``deadline_seconds`` is cut off and raises Unavailable: a server that hangs
    must look like one that is down while there is still time to say so.
    """

    def __init__(self, url: str, *, deadline_seconds: float | None = None) -> None:
        self._url = url
        self._deadline_seconds = deadline_seconds
        self._alarm = None if deadline_seconds is None else _Alarm(deadline_seconds, self._cut_off)
        self._connection: connection | None = None
        self._used_at = 0.0
        self._is_cut_off = False

    @contextmanager
    def transaction(self) -> Iterator[cursor]:
        """A cursor inside a transaction that commits at the end of the block, or rolls back if it raises.

        Driver errors leave as Unavailable, Poison or ContractError. A failed COMMIT is Unavailable: its outcome is
        unknown.
        """
        with self._deadline():
            live = self._live()
            try:
                with live.cursor() as open_cursor:
                    yield open_cursor
                live.commit()
                self._used_at = time.monotonic()
            except psycopg2.Error as error:
                self._abandon()
                raise translate(error) from error
            except BaseException:
                self._abandon()
                raise

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        if self._alarm is None:
            yield
            return
        self._is_cut_off = False
        self._alarm.set()
        try:
            yield
        finally:
            self._alarm.cancel()

    def _cut_off(self) -> None:
        """Ends the connection under libpq, from another thread: whoever waits for the server gets an error."""
        self._is_cut_off = True
        live = self._connection
        if live is None or live.closed:
            return
        with contextlib.suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(live.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def ask(self) -> None:
        """Asks for nothing. Raises Unavailable if there is no answer."""
        with self.transaction() as open_cursor:
            open_cursor.execute("SELECT 1")

    def close(self) -> None:
        """Closes the connection; the next transaction opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _live(self) -> connection:
        if self._connection is not None and time.monotonic() - self._used_at > _IDLE_SECONDS:
            self._check(self._connection)
        if self._connection is None:
            try:
                self._connection = psycopg2.connect(self._url, connect_timeout=3, application_name="sluice")
            except psycopg2.Error as error:
                raise translate(error) from error
        if self._is_cut_off:  # while checking or connecting: nobody watches over what would come now
            self.close()
            raise Unavailable("database_unavailable", f"no answer within {self._deadline_seconds} s")
        return self._connection

    def _check(self, idle: connection) -> None:
        try:
            with idle.cursor() as open_cursor:
                open_cursor.execute("SELECT 1")
            idle.rollback()
        except psycopg2.Error:
            self.close()

    def _abandon(self) -> None:
        """Rolls back, and gives the connection up if that fails."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except psycopg2.Error:
            self.close()


class _Alarm:
    """Calls ``ring``, from another thread, ``seconds`` after it was set. The thread stays for as long and takes what is
    set meanwhile: to start one takes longer than most transactions."""

    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self._seconds, self._ring = seconds, ring
        self._due_at: float | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def set(self) -> None:
        """Begins to wait, from now on."""
        with self._lock:
            self._due_at = time.monotonic() + self._seconds
            if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
                self._thread = threading.Thread(target=self._wait, daemon=True)
                self._thread.start()

    def cancel(self) -> None:
        """It does not ring any more, unless it has."""
        with self._lock:
            self._due_at = None

    def _wait(self) -> None:
        while (left := self._left()) is not None:
            time.sleep(left)

    def _left(self) -> float | None:
        """Rings if it is time; else the seconds until then. None, and the thread is over, if there is nothing to wait
        for."""
        with self._lock:
            left = None if self._due_at is None else self._due_at - time.monotonic()
            if left is not None and left > 0:
                return left
            if left is not None:
                self._ring()
            self._due_at = self._thread = None
            return None


def translate(error: psycopg2.Error) -> SluiceError:
    """Our error for a driver's: by SQLSTATE class; without one, the connection itself failed."""
    state = error.pgcode
    summary = str(error).strip().partition("\n")[0]
    if state is None or state.startswith(_LATER):
        return Unavailable("database_unavailable", f"{state or 'no connection'}: {summary}")
    if state.startswith(_NEVER):
        return Poison(f"sqlstate_{state.lower()}", summary)
    return ContractError("database_contract", f"{state}: {summary}")


@contextmanager
def savepoint(open_cursor: cursor) -> Iterator[None]:
    """A block whose failure leaves the transaction around it usable. Raises what ``translate`` makes of the error."""
    open_cursor.execute("SAVEPOINT inner_block")
    try:
        yield
    except psycopg2.Error as error:
        translated = translate(error)
        if isinstance(translated, Poison):
            open_cursor.execute("ROLLBACK TO SAVEPOINT inner_block")
        raise translated from error
    open_cursor.execute("RELEASE SAVEPOINT inner_block")


def show_applications(
    open_cursor: cursor, visible: Collection[int] | None, then: str = "", values: Sequence[Any] = (), **settings: str
) -> None:
    """Lets the rest of the transaction see these applications' rows (None: all), see the policies in the schema, with
    other settings if wanted; and runs ``then`` with its ``values``, in the same round trip."""
    shown = "*" if visible is None else ",".join(map(str, visible))
    named = {"sluice.applications": shown} | settings
    open_cursor.execute(
        f"SELECT set_config(name, value, true) FROM unnest(%s, %s) AS setting (name, value); {then}",
        (list(named), list(named.values()), *values),
    )
