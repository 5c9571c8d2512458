"""The use cases of channels."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sluice.applications.model import KeyRecord
from sluice.applications.ports import Clock
from sluice.errors import RejectedInput
from sluice.notifications.addresses import AddressPolicy
from sluice.notifications.model import ChannelKind, Result
from sluice.notifications.parse import ChannelForm, read_channel_form, redacted
from sluice.notifications.ports import Sender
from sluice.notifications.postgres_channels import PostgresChannels, unknown_channel
from sluice.notifications.signing import signing_secret
from sluice.notifications.tasks import task_of
from sluice.search.parse import check_names, parse_limit

if TYPE_CHECKING:
    from functions.alerts.sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor
else:
    from sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor

TEST_LEASE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Channels:
    """Each takes the key of who asks. A target leaves only towards the sender."""

    sight: Sight
    open_channels: Callable[[Collection[int] | None], PostgresChannels]
    policy: AddressPolicy
    sender: Sender
    pepper: bytes
    now: Clock

    def list(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """A page of channels, by application and name."""
        check_names(parameters, "application", "limit", "cursor")
        limit = parse_limit("limit", parameters.get("limit"), DEFAULT_LIMIT, MAX_LIMIT)
        names = self.sight.named(key, parameters.get("application"))
        found = self._channels(key).page(names, read_cursor(parameters.get("cursor"), _place), limit + 1)
        shown = found[:limit]
        more = cursor_text(shown[-1]["application"], shown[-1]["name"]) if len(found) > limit else None
        return {"channels": [document(channel) for channel in shown], "next_cursor": more}

    def create(self, key: KeyRecord, members: Mapping[str, Any]) -> dict[str, Any]:
        """A new channel of ``application`` or the key's own. For a webhook, the answer alone has its signing secret."""
        form = read_channel_form(members, self.policy)
        application_id = self.sight.application_id(key, members.get("application"))
        return self._with_secret(self._channels(key).create(application_id, form, key.key_id))

    def show(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """One channel."""
        return {"channel": document(self._channels(key).find(channel_id_of(text)))}

    def change(self, key: KeyRecord, text: str, members: Mapping[str, Any]) -> dict[str, Any]:
        """The channel with these members; what is not named stays."""
        channel_id, channels = channel_id_of(text), self._channels(key)
        known = channels.find(channel_id)
        before = ChannelForm(
            known["name"], ChannelKind(known["kind"]), known["target"], known["min_severity"], known["is_enabled"]
        )
        return {"channel": document(channels.change(channel_id, read_channel_form(members, self.policy, before)))}

    def rotate(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """A new signing secret; the one before signs for a day, too. Raises RejectedInput ``not_signed`` (409)."""
        channel_id, channels = channel_id_of(text), self._channels(key)
        if channels.find(channel_id)["kind"] != ChannelKind.WEBHOOK:
            raise RejectedInput("not_signed", "only webhooks are signed", status=409)
        return self._with_secret(channels.rotate(channel_id, self.now()))

    def delete(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """Forgets the channel; answers with what it was."""
        return {"deleted": document(self._channels(key).delete(channel_id_of(text), self.now()))}

    def test(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """Sends a message that says it is a test, once, and tells how that ended."""
        channels = self._channels(key)
        claim = channels.begin_test(channel_id_of(text), self.now(), TEST_LEASE)
        outcome = self.sender.send(task_of(claim, self.pepper, (self.now() + TEST_LEASE).timestamp()))
        channels.settle(claim, outcome, self.now())
        return {
            "message": claim.message_id,
            "delivered": outcome.result is Result.DELIVERED,
            "code": outcome.code,
            "status": outcome.status,
            "detail": outcome.detail,
        }

    def _with_secret(self, channel: Mapping[str, Any]) -> dict[str, Any]:
        shown = document(channel)
        if channel["kind"] == ChannelKind.WEBHOOK:
            secret = signing_secret(self.pepper, channel["channel_id"], channel["secret_version"])
            shown["signing_secret"] = secret
        return {"channel": shown}

    def _channels(self, key: KeyRecord) -> PostgresChannels:
        return self.open_channels(self.sight.visible(key))


def document(channel: Mapping[str, Any]) -> dict[str, Any]:
    """A channel as JSON, without what could be used of its target."""
    last = {"result": channel["last_result"], "code": channel["last_code"], "at": channel["last_attempt_at"]}
    return {
        "id": channel["channel_id"],
        "application": channel["application"],
        "name": channel["name"],
        "kind": channel["kind"],
        "target": redacted(ChannelKind(channel["kind"]), channel["target"]),
        "min_severity": channel["min_severity"],
        "enabled": channel["is_enabled"],
        "old_secret_until": channel["old_secret_until"],
        "last_attempt": last if last["result"] else None,
        "created_at": channel["created_at"],
        "created_by": channel["created_by"],
    }


def channel_id_of(text: str) -> str:
    """Raises RejectedInput ``unknown_channel``: no channel has such an id."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise unknown_channel() from error


def _place(application: Any, name: Any) -> tuple[str, str]:
    if not isinstance(application, str) or not isinstance(name, str) or "\x00" in application + name:
        raise ValueError(application)
    return application, name
