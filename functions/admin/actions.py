"""The use cases of administration, from a request's members to a JSON answer; app.py has the ways to them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sluice.applications import parse
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.ports import Clock, Register
from sluice.deadletters.model import Selection
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.deadletters.select import read_selection
from sluice.errors import RejectedInput
from sluice.retention.parse import CLASS_MEMBERS, read_class_change, read_class_name, read_retention_change
from sluice.retention.postgres import PostgresRetention
from sluice.schema.model import PHASES, Phase
from sluice.schema.postgres import SchemaOwner
from sluice.schema.postgres_roles import provision
from sluice.templates.edits import EDITS, read_template_edit
from sluice.templates.postgres_edits import PostgresTemplateEdits

type Members = Mapping[str, Any]

MAX_DEAD_LETTERS = 500


@dataclass(frozen=True, slots=True)
class Admin:
    """One public method per action."""

    schema: SchemaOwner
    applications: Register
    dead_letters: PostgresDeadLetters
    pepper: bytes
    clock: Clock
    templates: PostgresTemplateEdits
    retention: PostgresRetention

    def run(self, event: Members) -> dict[str, Any]:
        """Runs the event's action. Raises RejectedInput ``unknown_action`` and whatever the action raises."""
        actions: dict[str, Callable[[Members], dict[str, Any]]] = {
            "provision": self.provision,
            "migrate": self.migrate,
            "maintain": self.maintain,
            "forget_samples": self.forget_samples,
            "create_application": self.create_application,
            "list_applications": self.list_applications,
            "show_application": self.show_application,
            "change_application": self.change_application,
            "create_key": self.create_key,
            "list_keys": self.list_keys,
            "rotate_key": self.rotate_key,
            "revoke_key": self.revoke_key,
            "list_dead_letters": self.list_dead_letters,
            "show_dead_letter": self.show_dead_letter,
            "redrive_dead_letters": self.redrive_dead_letters,
            "drop_dead_letters": self.drop_dead_letters,
            "change_template": self.change_template,
            "list_retention_classes": self.list_retention_classes,
            "create_retention_class": self.create_retention_class,
            "change_retention_class": self.change_retention_class,
            "show_retention": self.show_retention,
            "change_retention": self.change_retention,
        }
        action = event.get("action")
        if not isinstance(action, str) or action not in actions:
            raise RejectedInput("unknown_action", f"action must be one of {', '.join(actions)}")
        return actions[action](event)

    def provision(self, event: Members) -> dict[str, Any]:
        """Creates database and roles as the server's administrator, whose URL comes with the event and is not kept."""
        parse.refuse_others(event, "administrator_url", "passwords")
        passwords = event.get("passwords")
        if not isinstance(passwords, Mapping) or not all(isinstance(one, str) for one in passwords.values()):
            raise RejectedInput("invalid_passwords", "passwords must be an object of texts, one for each role")
        return {"roles": provision(parse.read_text(event, "administrator_url"), passwords)}

    def migrate(self, event: Members) -> dict[str, Any]:
        """Applies pending migrations, of ``phases`` if they are named, and creates the partitions of the days ahead."""
        parse.refuse_others(event, "phases")
        phases = _phases(event)
        applied = self.schema.migrate(phases)
        self.schema.create_partitions(self.clock().date())
        return {"applied": applied, "version": self.schema.version()}

    def maintain(self, event: Members) -> dict[str, Any]:
        """Creates the partitions of the days ahead."""
        return {"partitions_created": self.schema.create_partitions(self.clock().date())}

    def forget_samples(self, event: Members) -> dict[str, Any]:
        """Clears the planner's statistics of values that are no longer stored: the end of an erasure."""
        parse.refuse_others(event)
        self.schema.forget_samples()
        return {}

    def create_application(self, event: Members) -> dict[str, Any]:
        """Creates the application ``name``."""
        parse.refuse_others(event, "name")
        return {"application": self.applications.create(parse.read_name(event))}

    def list_applications(self, event: Members) -> dict[str, Any]:
        """Lists all applications."""
        return {"applications": self.applications.all()}

    def show_application(self, event: Members) -> dict[str, Any]:
        """Shows ``application``."""
        return {"application": self.applications.find(parse.read_text(event, "application"))}

    def change_application(self, event: Members) -> dict[str, Any]:
        """Gives ``application`` a new ``name``, ``status`` (active, disabled) or ``limits``: numbers, null for the
        deployment's default. What is not named stays. A disabled application is refused everywhere within 15 s."""
        parse.refuse_others(event, "application", "name", "status", "limits")
        name = parse.read_text(event, "application")
        return {"application": self.applications.change(name, parse.read_change(event))}

    def create_key(self, event: Members) -> dict[str, Any]:
        """Creates a key of ``application`` with ``scopes`` (default: ingest), ``expires_at`` (RFC 3339 or null) and
        ``description``. Only this answer holds the key."""
        parse.refuse_others(event, "application", "scopes", "expires_at", "description")
        text, key = mint_key(self.pepper)
        created = self.applications.add_key(
            parse.read_text(event, "application"),
            key_id=key.key_id,
            secret_hash=hash_secret(key.secret, self.pepper),
            scopes=parse.read_scopes(event),
            expires_at=parse.read_expiry(event, self.clock()),
            description=parse.read_description(event),
        )
        return {"key": text, **created}

    def list_keys(self, event: Members) -> dict[str, Any]:
        """Lists the keys of ``application``, without their secrets."""
        return {"keys": self.applications.keys(parse.read_text(event, "application"))}

    def rotate_key(self, event: Members) -> dict[str, Any]:
        """Creates the successor of ``key_id``, which expires after ``overlap_seconds`` (default: a day)."""
        parse.refuse_others(event, "key_id", "overlap_seconds")
        text, key = mint_key(self.pepper)
        created = self.applications.rotate_key(
            parse.read_text(event, "key_id"),
            key_id=key.key_id,
            secret_hash=hash_secret(key.secret, self.pepper),
            overlap=parse.read_overlap(event),
            now=self.clock(),
        )
        return {"key": text, **created}

    def revoke_key(self, event: Members) -> dict[str, Any]:
        """Revokes ``key_id``; it is refused everywhere within 15 s."""
        return self.applications.revoke_key(parse.read_text(event, "key_id"))

    def list_dead_letters(self, event: Members) -> dict[str, Any]:
        """Lists dead letters, newest first, as selected; at most ``limit``, below the id ``before``."""
        limit, before = event.get("limit", 50), event.get("before")
        if type(limit) is not int or not 1 <= limit <= MAX_DEAD_LETTERS:
            raise RejectedInput("invalid_limit", f"limit must be a whole number from 1 to {MAX_DEAD_LETTERS}")
        if before is not None and type(before) is not int:
            raise RejectedInput("invalid_before", "before must be the id of a dead letter")
        found = self.dead_letters.find(self._selected(event), limit=limit, before=before)
        return {"dead_letters": found, "next_before": found[-1]["id"] if len(found) == limit else None}

    def show_dead_letter(self, event: Members) -> dict[str, Any]:
        """Shows the dead letter ``id`` with its queued bytes."""
        dead_letter_id = event.get("id")
        if type(dead_letter_id) is not int or not 0 < dead_letter_id < 2**63:
            raise RejectedInput("invalid_id", "id must be the id of a dead letter")
        return {"dead_letter": self.dead_letters.show(dead_letter_id)}

    def redrive_dead_letters(self, event: Members) -> dict[str, Any]:
        """Repairs and stores the selected open dead letters."""
        return asdict(self.dead_letters.redrive(self._selected(event, must_be_explicit=True)))

    def drop_dead_letters(self, event: Members) -> dict[str, Any]:
        """Closes the selected open dead letters without storing them."""
        return {"dropped": self.dead_letters.drop(self._selected(event, must_be_explicit=True))}

    def change_template(self, event: Members, key_id: str = "operator") -> dict[str, Any]:
        """Gives the template ``id`` a ``name``, has it ``ignored`` or not, or ``merged_into`` another one, or into none
        any more; what is not named stays."""
        parse.refuse_others(event, "id", *EDITS)
        template_id = event.get("id")
        if type(template_id) is not int or not 0 < template_id < 2**31:
            raise RejectedInput("unknown_template", "there is no template with such an id", status=404)
        return {"template": self.templates.change(template_id, read_template_edit(event), key_id=key_id)}

    def list_retention_classes(self, event: Members) -> dict[str, Any]:
        """Lists the retention classes."""
        return {"retention_classes": self.retention.classes()}

    def create_retention_class(self, event: Members) -> dict[str, Any]:
        """Creates the class ``name``: ``hot_days`` in the log table, then archived unless ``is_archived`` is false, up
        to ``archive_days`` (null: for ever)."""
        parse.refuse_others(event, "name", *CLASS_MEMBERS)
        return {"retention_class": self.retention.create(read_class_name(event), read_class_change(event))}

    def change_retention_class(self, event: Members) -> dict[str, Any]:
        """Changes the class ``name``; what is not named stays. Holds for stored logs, too."""
        parse.refuse_others(event, "name", *CLASS_MEMBERS)
        return {"retention_class": self.retention.change(read_class_name(event), read_class_change(event))}

    def show_retention(self, event: Members) -> dict[str, Any]:
        """Shows in which classes logs of ``application`` are kept."""
        return {"retention": self.retention.of_application(parse.read_text(event, "application"))}

    def change_retention(self, event: Members) -> dict[str, Any]:
        """Keeps logs of ``application`` that are stored from now on in ``retention_class``, but for those of ``levels``
        (names of classes by level; null: in the application's own again)."""
        parse.refuse_others(event, "application", "retention_class", "levels")
        change = read_retention_change(event)
        return {"retention": self.retention.assign(parse.read_text(event, "application"), change)}

    def _selected(self, event: Members, *, must_be_explicit: bool = False) -> Selection:
        """Which dead letters. Raises ``unknown_application``, too: a mistake is told, not answered with nothing."""
        selection = read_selection(event, must_be_explicit=must_be_explicit)
        if selection.application is not None:
            self.applications.find(selection.application)
        return selection


def _phases(event: Members) -> tuple[Phase, ...]:
    phases = event.get("phases", list(PHASES))
    if not isinstance(phases, list) or not phases or not all(phase in PHASES for phase in phases):
        raise RejectedInput("invalid_phases", f"phases must be a list of {' and '.join(PHASES)}")
    return tuple(phases)
