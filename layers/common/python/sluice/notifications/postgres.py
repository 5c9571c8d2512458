"""The dispatcher's tables: events are routed to channels, messages are claimed, sent and settled.

Each step is one transaction, and each can be done by several at once or be cut off: routing happens under a lock and
leaves one row per event and channel, a claim holds for a lease's length and counts its attempts.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor

from sluice.notifications.messages import compose
from sluice.notifications.model import Channel, ChannelKind, Claim, Event, Message, Outcome, Result
from sluice.notifications.retries import GIVE_UP, next_attempt
from sluice.notifications.routing import ANNOUNCING, MAX_MESSAGES, RATE_WINDOW, Plan, Reason, Standing, plan
from sluice.notifications.silences import Matcher, Muting, Weekly
from sluice.runtime.postgres import Database, show_applications

EVENTS_AT_ONCE = 500
_HELD_AT_ONCE = 2_000
_LOCK = 7_583_243_014  # any number that nobody else locks

_EVENT = """
SELECT e.event_id, e.application_id, e.incident_id::text, e.kind, i.severity, i.labels, i.status = 'firing',
e.created_at, e.payload
FROM alert_events e JOIN incidents i USING (incident_id)"""
CHANNEL = """
SELECT c.channel_id::text, c.application_id, a.name, c.name, c.kind, c.target, c.min_severity, c.is_enabled
FROM channels c JOIN applications a USING (application_id)"""
_MUTINGS = """
SELECT 'silence', silence_id::text, application_id, matchers, NULL, NULL, NULL, NULL FROM silences
WHERE application_id = ANY (%(ids)s) AND starts_at <= %(now)s AND ends_at > %(now)s
UNION ALL
SELECT 'maintenance', window_id::text, application_id, matchers, weekdays, start_minute, duration_minutes,
       %(now)s AT TIME ZONE time_zone
FROM maintenance_windows
WHERE application_id = ANY (%(ids)s) AND (weekdays IS NOT NULL OR starts_at <= %(now)s AND ends_at > %(now)s)
ORDER BY 1 DESC, 2"""
# Not before what the channel is to hear earlier of the same incident, and one at a time for each channel.
_DUE = """
SELECT m.message_id::text, m.channel_id::text
FROM messages m JOIN channels c USING (channel_id)
WHERE m.status = 'pending' AND m.due_at <= %(now)s AND (m.leased_until IS NULL OR m.leased_until < %(now)s)
  AND c.is_enabled AND m.channel_id <> ALL (%(resting)s::uuid[])
  AND NOT EXISTS (
      SELECT FROM deliveries mine
      JOIN deliveries other USING (incident_id, channel_id)
      JOIN messages earlier ON earlier.message_id = other.message_id
      WHERE mine.message_id = m.message_id AND earlier.status = 'pending' AND earlier.position < m.position)
ORDER BY m.attempt_count, m.position
LIMIT %(limit)s
FOR UPDATE OF m SKIP LOCKED"""
_CLAIM = """
UPDATE messages m SET attempt_count = attempt_count + 1, leased_until = %(until)s
FROM channels c
WHERE c.channel_id = m.channel_id AND m.message_id = ANY (%(ids)s::uuid[])
RETURNING m.message_id::text, m.channel_id::text, m.application_id, c.kind, c.target, m.document, m.attempt_count,
          m.created_at, c.secret_version, c.old_secret_until > %(now)s"""


@dataclass(frozen=True, slots=True)
class Routed:
    """What one routing did: events decided on, and messages made of them. ``is_busy``: another one was at it."""

    events: int = 0
    messages: int = 0
    is_busy: bool = False


class PostgresDispatch:
    """All of it, of all applications. Methods raise Unavailable and ContractError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def route(self, now: datetime) -> Routed:
        """Decides on up to EVENTS_AT_ONCE new events, and again on those that are held."""
        with self._database.transaction() as cursor:
            show_applications(cursor, None)
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))
            if cursor.fetchone() == (False,):
                return Routed(is_busy=True)
            return _route(cursor, now)

    def claim(self, now: datetime, lease: timedelta, limit: int, resting: Collection[str] = ()) -> list[Claim]:
        """Up to ``limit`` messages that are due, one for each channel; none for the channels ``resting``. Nobody else
        gets them before the lease is over. Gives up what is too old."""
        with self._database.transaction() as cursor:
            show_applications(cursor, None)
            cursor.execute(_DUE, {"now": now, "resting": list(resting), "limit": 10 * limit})
            by_channel: dict[str, str] = {}
            for message_id, channel_id in cursor.fetchall():
                by_channel.setdefault(channel_id, message_id)
            return claim(cursor, list(by_channel.values())[:limit], now, lease)

    def give_up(self, now: datetime) -> int:
        """Gives up what nobody could settle in time: its channel is disabled, or those who sent it died each time."""
        with self._database.transaction() as cursor:
            show_applications(cursor, None)
            cursor.execute(
                "UPDATE messages SET status = 'failed', finished_at = %(now)s, leased_until = NULL"
                " WHERE status = 'pending' AND created_at < %(limit)s"
                " AND (leased_until IS NULL OR leased_until < %(now)s)",
                {"now": now, "limit": now - GIVE_UP},
            )
            return cursor.rowcount

    def settle(self, claim: Claim, outcome: Outcome, now: datetime) -> bool:
        """Writes down how an attempt ended; whether the message is given up by it."""
        with self._database.transaction() as cursor:
            show_applications(cursor, None)
            return settle(cursor, claim, outcome, now)


def settle(cursor: cursor, claim: Claim, outcome: Outcome, now: datetime, *, is_last: bool = False) -> bool:
    """See PostgresDispatch.settle; ``is_last``: there is no other attempt. A late word that it arrived counts, even if
    the lease was over; a late failure is somebody else's business by then."""
    cursor.execute(
        """
        UPDATE message_attempts SET finished_at = %s, result = %s, code = %s, http_status = %s, detail = %s
        WHERE message_id = %s AND number = %s
        """,
        (now, outcome.result, outcome.code, outcome.status, outcome.detail, claim.message_id, claim.attempt),
    )
    if outcome.result is Result.DELIVERED:
        cursor.execute(
            "UPDATE messages SET status = 'delivered', finished_at = %s, leased_until = NULL"
            " WHERE message_id = %s AND status <> 'delivered'",
            (now, claim.message_id),
        )
        return False
    due_at = (
        next_attempt(claim.message_id, claim.attempt, claim.created_at, now, outcome.retry_after_seconds)
        if outcome.result is Result.FAILED and not is_last
        else None
    )
    cursor.execute(
        """
        UPDATE messages SET leased_until = NULL, due_at = coalesce(%(due_at)s, due_at),
               status = CASE WHEN %(due_at)s IS NULL THEN 'failed' ELSE status END,
               finished_at = CASE WHEN %(due_at)s IS NULL THEN %(now)s END
        WHERE message_id = %(id)s AND status = 'pending' AND attempt_count = %(attempt)s
        """,
        {"due_at": due_at, "now": now, "id": claim.message_id, "attempt": claim.attempt},
    )
    return due_at is None and cursor.rowcount == 1


def insert_message(cursor: cursor, channel: Channel, message: Message, now: datetime) -> str:
    """A message that is due now; its id."""
    cursor.execute(
        "INSERT INTO messages (channel_id, application_id, document, due_at, created_at)"
        " VALUES (%s, %s, %s, %s, %s) RETURNING message_id::text",
        (channel.channel_id, channel.application_id, json.dumps(asdict(message)), now, now),
    )
    ((message_id,),) = cursor.fetchall()
    return str(message_id)


def room(cursor: cursor, channel_id: str, now: datetime) -> int:
    """How many messages the channel may get now."""
    cursor.execute(
        "SELECT count(*) FROM messages WHERE channel_id = %s AND created_at > %s", (channel_id, now - RATE_WINDOW)
    )
    ((recent,),) = cursor.fetchall()
    return max(0, MAX_MESSAGES - int(recent))


def _route(cursor: cursor, now: datetime) -> Routed:
    cursor.execute(f"{_EVENT} WHERE e.routed_at IS NULL ORDER BY e.event_id LIMIT %s", (EVENTS_AT_ONCE,))
    fresh = [Event(*row) for row in cursor.fetchall()]
    held, waiting = _held(cursor)
    events = {event.event_id: event for event in (*held, *fresh)}
    mutings = _mutings(cursor, {event.application_id for event in events.values()}, now)
    message_count = 0
    for channel in _channels(cursor, {event.application_id for event in events.values()}):
        waits = waiting.get(channel.channel_id, {})
        due = [events[event_id] for event_id in waits]
        due += [event for event in fresh if event.application_id == channel.application_id]
        due = [event for event in due if channel.wants(event.severity)]
        if not due:
            continue
        made = plan(due, waits, _standings(cursor, channel, due), mutings, room(cursor, channel.channel_id, now))
        _write(cursor, channel, made, waits, now)
        message_count += len(made.groups)
    cursor.execute(
        "UPDATE alert_events SET routed_at = %s WHERE event_id = ANY (%s)", (now, [event.event_id for event in fresh])
    )
    _mark_silenced(cursor, now)
    return Routed(len(fresh), message_count)


def _held(cursor: cursor) -> tuple[list[Event], dict[str, dict[int, Reason]]]:
    """Events that some channel may be told later, and by channel, why not now."""
    cursor.execute(
        "SELECT event_id, channel_id::text, reason FROM deliveries WHERE NOT is_final ORDER BY event_id LIMIT %s",
        (_HELD_AT_ONCE,),
    )
    waiting: dict[str, dict[int, Reason]] = defaultdict(dict)
    for event_id, channel_id, reason in cursor.fetchall():
        waiting[channel_id][event_id] = reason
    cursor.execute(f"{_EVENT} WHERE e.event_id = ANY (%s)", (sorted({id_ for of in waiting.values() for id_ in of}),))
    return [Event(*row) for row in cursor.fetchall()], waiting


def _channels(cursor: cursor, application_ids: Iterable[int]) -> list[Channel]:
    cursor.execute(
        f"{CHANNEL} WHERE c.deleted_at IS NULL AND c.application_id = ANY (%s) ORDER BY c.channel_id",
        (sorted(application_ids),),
    )
    return [read_channel(row) for row in cursor.fetchall()]


def read_channel(row: Sequence[Any]) -> Channel:
    """From a row of CHANNEL."""
    channel_id, application_id, application, name, kind, *others = row
    return Channel(channel_id, application_id, application, name, ChannelKind(kind), *others)


def _mutings(cursor: cursor, application_ids: Iterable[int], now: datetime) -> list[Muting]:
    """Those that are in force now."""
    cursor.execute(_MUTINGS, {"ids": sorted(application_ids), "now": now})
    found: list[Muting] = []
    for (
        reason,
        muting_id,
        application_id,
        matchers,
        weekdays,
        start_minute,
        duration_minutes,
        local,
    ) in cursor.fetchall():
        if weekdays and not Weekly(tuple(weekdays), start_minute, duration_minutes).is_open(local):
            continue
        found.append(Muting(reason, muting_id, application_id, tuple(Matcher(*matcher) for matcher in matchers)))
    return found


def _standings(cursor: cursor, channel: Channel, events: Iterable[Event]) -> dict[str, Standing]:
    cursor.execute(
        """
        SELECT incident_id::text, bool_or(message_id IS NOT NULL AND kind = ANY (%s)),
               max(reason) FILTER (WHERE kind = 'firing' AND NOT is_final)
        FROM deliveries WHERE channel_id = %s AND incident_id = ANY (%s::uuid[]) GROUP BY incident_id
        """,
        (list(ANNOUNCING), channel.channel_id, sorted({event.incident_id for event in events})),
    )
    return {incident_id: Standing(is_announced, held) for incident_id, is_announced, held in cursor.fetchall()}


def _write(cursor: cursor, channel: Channel, made: Plan, waits: Mapping[int, Reason], now: datetime) -> None:
    messages = {
        event.event_id: message_id
        for group in made.groups
        for message_id in [insert_message(cursor, channel, compose(group, channel.application, now), now)]
        for event in group.events
    }
    for decision in made.decisions:
        event = decision.event
        if not decision.is_final and waits.get(event.event_id) == decision.reason:
            continue
        cursor.execute(
            """
            INSERT INTO deliveries (event_id, channel_id, application_id, incident_id, kind, message_id, reason,
            is_final, muting_id, decided_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (event_id, channel_id) DO UPDATE
            SET message_id = excluded.message_id, reason = excluded.reason, is_final = excluded.is_final,
                muting_id = excluded.muting_id, decided_at = excluded.decided_at
            WHERE NOT deliveries.is_final
            """,
            (
                event.event_id,
                channel.channel_id,
                channel.application_id,
                event.incident_id,
                event.kind,
                messages.get(event.event_id),
                decision.reason,
                decision.is_final,
                decision.muting_id,
                now,
            ),
        )


def _mark_silenced(cursor: cursor, now: datetime) -> None:
    """Lets incidents show whether they are silenced now."""
    cursor.execute(
        """
        SELECT e.event_id, e.application_id, i.incident_id::text, e.kind, i.severity, i.labels, true, e.created_at,
               e.payload, i.is_silenced
        FROM incidents i
        JOIN LATERAL (SELECT * FROM alert_events e WHERE e.incident_id = i.incident_id ORDER BY event_id LIMIT 1) e ON
        true WHERE i.status = 'firing'
        """
    )
    firing = [(Event(*row[:-1]), row[-1]) for row in cursor.fetchall()]
    mutings = _mutings(cursor, {event.application_id for event, _ in firing}, now)
    changed = [
        event.incident_id
        for event, is_silenced in firing
        if any(muting.mutes(event) for muting in mutings) is not is_silenced
    ]
    if changed:
        cursor.execute(
            "UPDATE incidents SET is_silenced = NOT is_silenced WHERE incident_id = ANY (%s::uuid[])", (changed,)
        )


def claim(cursor: cursor, message_ids: list[str], now: datetime, lease: timedelta) -> list[Claim]:
    """Claims these messages."""
    cursor.execute(_CLAIM, {"ids": message_ids, "now": now, "until": now + lease})
    claims = [_read_claim(*row) for row in cursor.fetchall()]
    for claim in claims:
        cursor.execute(
            "INSERT INTO message_attempts (message_id, number, application_id, started_at) VALUES (%s, %s, %s, %s)",
            (claim.message_id, claim.attempt, claim.application_id, now),
        )
    return claims


def _read_claim(
    message_id: str,
    channel_id: str,
    application_id: int,
    kind: str,
    target: str,
    document: Mapping[str, Any],
    attempt: int,
    created_at: datetime,
    version: int,
    signs_old: bool | None,
) -> Claim:
    versions = (version, version - 1) if signs_old else (version,)
    message = Message.from_document(document)
    return Claim(
        message_id, channel_id, application_id, ChannelKind(kind), target, message, attempt, created_at, versions
    )
