"""Channels as people keep them, under the row security of who asks."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor

from sluice.errors import RejectedInput, Throttled
from sluice.notifications.messages import compose_test
from sluice.notifications.model import Channel, Claim, Outcome
from sluice.notifications.parse import ChannelForm
from sluice.notifications.postgres import CHANNEL, claim, insert_message, read_channel, room, settle
from sluice.notifications.routing import RATE_WINDOW
from sluice.runtime.postgres import Database, show_applications

MAX_CHANNELS = 20  # of an application
OVERLAP = timedelta(hours=24)  # in which a changed secret's predecessor signs, too
_ROWS = """
SELECT c.channel_id::text, a.name AS application, c.application_id, c.name, c.kind, c.target, c.min_severity,
       c.is_enabled, c.secret_version, c.old_secret_until, c.created_at, c.created_by,
       last.result AS last_result, last.code AS last_code, last.finished_at AS last_attempt_at
FROM channels c JOIN applications a USING (application_id)
LEFT JOIN LATERAL (
    SELECT t.result, t.code, t.finished_at FROM messages m JOIN message_attempts t USING (message_id)
    WHERE m.channel_id = c.channel_id AND t.finished_at IS NOT NULL
    ORDER BY m.created_at DESC, t.number DESC LIMIT 1) last ON true
WHERE c.deleted_at IS NULL"""


class PostgresChannels:
    """The channels of the applications in ``visible`` (None: of all). Methods raise Unavailable, and RejectedInput
    ``unknown_channel`` (404) where there is no such channel to be seen."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def page(self, applications: Sequence[str], after: tuple[str, str] | None, limit: int) -> list[dict[str, Any]]:
        """Channels by application and name, those after the pair ``after``."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            conditions, values = ["true"], list[Any]()
            if applications:
                conditions, values = [*conditions, "a.name = ANY (%s)"], [*values, list(applications)]
            if after:
                conditions, values = [*conditions, "(a.name, c.name) > (%s, %s)"], [*values, *after]
            sql = f"{_ROWS} AND {' AND '.join(conditions)} ORDER BY a.name, c.name LIMIT %s"
            return _rows(cursor, sql, *values, limit)

    def find(self, channel_id: str) -> dict[str, Any]:
        """One channel."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            return _channel(cursor, channel_id)

    def create(self, application_id: int, form: ChannelForm, key_id: str) -> dict[str, Any]:
        """A new channel. Raises RejectedInput ``channel_exists``, ``too_many_channels`` (409)."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            cursor.execute(
                "SELECT count(*) FROM channels WHERE application_id = %s AND deleted_at IS NULL", (application_id,)
            )
            ((count,),) = cursor.fetchall()
            if count >= MAX_CHANNELS:
                raise RejectedInput("too_many_channels", f"an application has at most {MAX_CHANNELS}", status=409)
            cursor.execute(
                """
                INSERT INTO channels (application_id, name, kind, target, min_severity, is_enabled, created_by)
                VALUES (%s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (application_id, name) WHERE deleted_at IS NULL DO NOTHING RETURNING channel_id::text
                """,
                (application_id, form.name, form.kind, form.target, form.min_severity, form.is_enabled, key_id),
            )
            created = cursor.fetchone()
            if created is None:
                raise _name_taken(form.name)
            return _channel(cursor, created[0])

    def change(self, channel_id: str, form: ChannelForm) -> dict[str, Any]:
        """The channel as ``form`` says. Raises RejectedInput ``channel_exists`` (409)."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            before = _channel(cursor, channel_id, "FOR UPDATE OF c")
            cursor.execute(
                "SELECT FROM channels WHERE application_id = %s AND name = %s AND channel_id <> %s"
                " AND deleted_at IS NULL",
                (before["application_id"], form.name, channel_id),
            )
            if cursor.rowcount:
                raise _name_taken(form.name)
            cursor.execute(
                "UPDATE channels SET name = %s, target = %s, min_severity = %s, is_enabled = %s WHERE channel_id = %s",
                (form.name, form.target, form.min_severity, form.is_enabled, channel_id),
            )
            return _channel(cursor, channel_id)

    def rotate(self, channel_id: str, now: datetime) -> dict[str, Any]:
        """Gives the channel its next signing secret; the one before signs, too, for OVERLAP."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            _channel(cursor, channel_id, "FOR UPDATE OF c")
            cursor.execute(
                "UPDATE channels SET secret_version = secret_version + 1, old_secret_until = %s WHERE channel_id = %s",
                (now + OVERLAP, channel_id),
            )
            return _channel(cursor, channel_id)

    def delete(self, channel_id: str, now: datetime) -> dict[str, Any]:
        """Forgets the target, and sends nothing more; what was sent stays listed. The channel as it was."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            before = _channel(cursor, channel_id, "FOR UPDATE OF c")
            cursor.execute(
                "UPDATE channels SET deleted_at = %s, target = '', is_enabled = false WHERE channel_id = %s",
                (now, channel_id),
            )
            cursor.execute(
                "UPDATE messages SET status = 'failed', finished_at = %s, leased_until = NULL"
                " WHERE channel_id = %s AND status = 'pending'",
                (now, channel_id),
            )
            cursor.execute(
                "UPDATE deliveries SET is_final = true WHERE channel_id = %s AND NOT is_final", (channel_id,)
            )
            return before

    def begin_test(self, channel_id: str, now: datetime, lease: timedelta) -> Claim:
        """A message that says it is a test, claimed by the caller. Raises Throttled ``too_many_messages``."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            cursor.execute(f"{CHANNEL} WHERE c.channel_id = %s AND c.deleted_at IS NULL FOR UPDATE OF c", (channel_id,))
            row = cursor.fetchone()
            if row is None:
                raise unknown_channel()
            channel: Channel = read_channel(row)
            if not room(cursor, channel_id, now):
                seconds = int(RATE_WINDOW.total_seconds())
                raise Throttled("too_many_messages", "this channel has had its messages", retry_after_seconds=seconds)
            message_id = insert_message(cursor, channel, compose_test(channel.application, now), now)
            (claimed,) = claim(cursor, [message_id], now, lease)
            return claimed

    def settle(self, claimed: Claim, outcome: Outcome, now: datetime) -> None:
        """Writes down how the test ended."""
        with self._database.transaction() as cursor:
            show_applications(cursor, self._visible)
            settle(cursor, claimed, outcome, now, is_last=True)


def unknown_channel() -> RejectedInput:
    """What is said of a channel that does not exist, or of somebody else."""
    return RejectedInput("unknown_channel", "this API key sees no such channel", status=404)


def _channel(cursor: cursor, channel_id: str, lock: str = "") -> dict[str, Any]:
    rows = _rows(cursor, f"{_ROWS} AND c.channel_id = %s {lock}", channel_id)
    if not rows:
        raise unknown_channel()
    return rows[0]


def _name_taken(name: str) -> RejectedInput:
    return RejectedInput("channel_exists", f"this application has a channel {name!r} already", status=409)


def _rows(cursor: cursor, sql: str, *values: Any) -> list[dict[str, Any]]:
    cursor.execute(sql, values)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
