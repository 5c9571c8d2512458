"""Contract of the place where objects are kept."""

from typing import Protocol


class ObjectStore(Protocol):
    """Objects by key. Every method raises Unavailable when the store cannot be asked."""

    def put(self, key: str, data: bytes) -> None:
        """Writes an object in one piece, in the place of whatever has the key. On return it is durable; after an error
        it may have been written."""

    def get(self, key: str) -> bytes | None:
        """The object's bytes; None if there is none."""

    def delete(self, key: str) -> None:
        """Deletes the object, and all that a store with versions keeps of it. There may be none."""
