"""What stored rows say of their templates, and the masked lines of queued records."""

from collections.abc import Sequence
from typing import NamedTuple

from sluice.entries.columns import Records
from sluice.entries.packing import RECORD_COLUMNS, unescape
from sluice.templates.keys import template_key
from sluice.templates.masks import mask

_MESSAGE_FROM_END = len(RECORD_COLUMNS) - RECORD_COLUMNS.index("message")
_NULL = b"\\N"


class Cluster(NamedTuple):
    """One record's. ``masked`` is for those whose template is to be found later."""

    columns: bytes  # template_key and template_id as COPY text
    key: int = 0
    template_id: int = 0  # 0: not known
    masked: str | None = None


UNMASKED = Cluster(_NULL + b"\t" + _NULL)  # of a record that could not be masked


def known_cluster(key: int, template_id: int) -> Cluster:
    """Of a line whose template is known: its row needs no key."""
    return Cluster(b"%b\t%d" % (_NULL, template_id), key, template_id)


def unmined_cluster(application_id: int, masked: str) -> Cluster:
    """Of a line whose template will be known later."""
    key = template_key(application_id, masked)
    return Cluster(b"%d\t%b" % (key, _NULL), key, masked=masked)


def masked_lines(records: Records) -> list[str]:
    """The masked message of each packed record, without U+0000; what is no packed record has an empty one."""
    packed = records if isinstance(records, bytes) else b"\n".join((*records.column("message"), b""))
    text = packed.decode("utf-8", "replace")
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    fields = text.split("\n")[:-1]
    messages = list(map(_message if isinstance(records, bytes) else _unescaped, fields))
    masked = {message: mask(message) for message in set(messages)}
    return [masked[message] for message in messages]


def unmined_clusters(application_id: int, records: Records) -> Sequence[Cluster]:
    """Of packed records, for whoever stores them without mining."""
    return [unmined_cluster(application_id, masked) for masked in masked_lines(records)]


def unmasked_clusters(record_count: int) -> Sequence[Cluster]:
    """Of records that could not be masked."""
    return [UNMASKED] * record_count


def _message(line: str) -> str:
    fields = line.rsplit("\t", _MESSAGE_FROM_END)
    if len(fields) <= _MESSAGE_FROM_END:
        return ""
    return _unescaped(fields[1])


def _unescaped(message: str) -> str:
    try:
        return unescape(message)
    except (KeyError, IndexError):  # nothing that we wrote
        return message
