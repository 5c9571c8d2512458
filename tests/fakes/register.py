"""Applications and their keys."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sluice.applications.keys import is_expired
from sluice.applications.model import ApplicationChange, KeyRecord, Limits, Scope, successor_expiry
from sluice.errors import RejectedInput


@dataclass
class MemoryRegister:
    """Register, and the KeyStore over what it holds."""

    clock: Callable[[], datetime]
    _applications: dict[int, dict[str, Any]] = field(default_factory=dict)
    _keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    _secrets: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def create(self, name: str) -> dict[str, Any]:
        if self._named(name):
            raise RejectedInput("application_exists", "taken", status=409)
        application_id = len(self._applications) + 1
        row = {"name": name, "status": "active", "retention_class": "standard", "limits": asdict(Limits())}
        self._applications[application_id] = {"application_id": application_id, **row, "created_at": self.clock()}
        return self.find(name)

    def find(self, name: str) -> dict[str, Any]:
        if not (found := self._named(name)):
            raise RejectedInput("unknown_application", "none", status=404)
        return {**found[0], "key_count": sum(key["status"] == "active" for key in self.keys(name))}

    def all(self) -> list[dict[str, Any]]:
        return [self.find(name) for name in sorted(row["name"] for row in self._applications.values())]

    def change(self, name: str, change: ApplicationChange) -> dict[str, Any]:
        row = self._applications[self.find(name)["application_id"]]
        new_name = change.name or name
        if new_name != name and self._named(new_name):
            raise RejectedInput("application_exists", "taken", status=409)
        limits = row["limits"] | change.limits
        row |= {"name": new_name, "status": str(change.status or row["status"]), "limits": limits}
        return self.find(new_name)

    def add_key(
        self,
        name: str,
        *,
        key_id: str,
        secret_hash: bytes,
        scopes: list[str],
        expires_at: datetime | None,
        description: str | None = None,
    ) -> dict[str, Any]:
        self._secrets[key_id] = (self.find(name)["application_id"], secret_hash)
        given = {"key_id": key_id, "description": description, "scopes": scopes, "expires_at": expires_at}
        never = dict.fromkeys(("revoked_at", "rotated_to", "last_used_at"))
        self._keys[key_id] = {**given, **never, "created_at": self.clock()}
        return self._key(key_id)

    def keys(self, name: str) -> list[dict[str, Any]]:
        application_id = self._named(name)[0]["application_id"] if self._named(name) else None
        if application_id is None:
            raise RejectedInput("unknown_application", "none", status=404)
        return [self._key(key_id) for key_id in reversed(self._keys) if self._secrets[key_id][0] == application_id]

    def rotate_key(
        self, old_id: str, *, key_id: str, secret_hash: bytes, overlap: timedelta, now: datetime
    ) -> dict[str, Any]:
        old = self._key(old_id)
        for reason, is_so in (("key_revoked", old["status"] == "revoked"), ("key_rotated", old["rotated_to"])):
            if is_so:
                raise RejectedInput(reason, "no", status=409)
        expires_at = successor_expiry(old["created_at"], old["expires_at"], now)
        named = {"scopes": old["scopes"], "expires_at": expires_at, "description": old["description"]}
        new = self.add_key(old["application"], key_id=key_id, secret_hash=secret_hash, **named)
        end = min(old["expires_at"] or now + overlap, now + overlap)
        self._keys[old_id] |= {"rotated_to": key_id, "expires_at": end}
        return new

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        revoked_at = self._key(key_id)["revoked_at"] or self.clock()
        self._keys[key_id]["revoked_at"] = revoked_at
        return self._key(key_id)

    def find_key(self, key_id: str) -> KeyRecord | None:
        if key_id not in self._keys:
            return None
        row, (application_id, secret_hash) = self._keys[key_id], self._secrets[key_id]
        application = self._applications[application_id]
        if row["revoked_at"] or application["status"] == "disabled":
            return None
        scopes, limits = frozenset(map(Scope, row["scopes"])), Limits(**application["limits"])
        name = application["name"]
        return KeyRecord(key_id, secret_hash, application_id, name, 1, scopes, row["expires_at"], limits)

    def _named(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self._applications.values() if row["name"] == name]

    def _key(self, key_id: str) -> dict[str, Any]:
        if key_id not in self._keys:
            raise RejectedInput("unknown_key", "none", status=404)
        row = self._keys[key_id]
        status = "expired" if is_expired(row["expires_at"], self.clock()) else "active"
        application = self._applications[self._secrets[key_id][0]]["name"]
        return {**row, "application": application, "status": "revoked" if row["revoked_at"] else status}
