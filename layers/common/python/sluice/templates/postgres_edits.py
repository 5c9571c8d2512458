"""What people make of templates, with its history."""

from typing import Any

from psycopg2.extensions import cursor
from psycopg2.extras import Json

from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database
from sluice.templates.edits import TemplateEdit
from sluice.templates.families import root_of

_FIND = """
SELECT template_id AS id, a.application_id, a.name AS application, t.text, t.name, is_ignored, mined_into, merged_into
FROM templates t JOIN applications a USING (application_id) WHERE template_id = %s"""
_LOCK = "SELECT FROM applications WHERE application_id = %s FOR NO KEY UPDATE"
_PARENTS = """
SELECT template_id, coalesce(merged_into, mined_into) FROM templates
WHERE application_id = %s AND coalesce(merged_into, mined_into) IS NOT NULL"""
_CHANGE = "UPDATE templates SET name = %(name)s, is_ignored = %(is_ignored)s, merged_into = %(merged_into)s"
_NOTE = "INSERT INTO template_changes (application_id, template_id, key_id, was, became) VALUES (%s, %s, %s, %s, %s)"
_EDITABLE = ("name", "is_ignored", "merged_into")


class PostgresTemplateEdits:
    """For who administers templates. Raises Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change(self, template_id: int, edit: TemplateEdit, *, key_id: str) -> dict[str, Any]:
        """The template with its new values; what changed is noted with the key that did it.

        Raises RejectedInput ``unknown_template``; ``invalid_merged_into`` for a template of another application or one
        that is merged into this one; ``template_merged`` for one that the miner has merged.
        """
        with self._database.transaction() as open_cursor:
            found = _find(open_cursor, template_id)
            open_cursor.execute(_LOCK, (found["application_id"],))  # merges at the same time could make a circle
            found = _find(open_cursor, template_id)
            if edit.values.get("merged_into") is not None:
                _check_merge(open_cursor, found, edit.values["merged_into"])
            was = {name: found[name] for name in _EDITABLE}
            became = {**was, **edit.values}
            if became != was:
                open_cursor.execute(f"{_CHANGE} WHERE template_id = %(id)s", became | {"id": template_id})
                open_cursor.execute(
                    _NOTE, (found["application_id"], template_id, key_id, *map(Json, _difference(was, became)))
                )
            return _shown(found | became)


def _difference(was: dict[str, Any], became: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    changed = [name for name in _EDITABLE if was[name] != became[name]]
    return {name: was[name] for name in changed}, {name: became[name] for name in changed}


def _check_merge(open_cursor: cursor, found: dict[str, Any], target_id: int) -> None:
    if found["mined_into"] is not None:
        raise RejectedInput("template_merged", "the miner has merged this template already", status=409)
    target = _find(open_cursor, target_id)
    if target["application_id"] != found["application_id"]:
        raise RejectedInput("invalid_merged_into", "templates of different applications cannot be one")
    open_cursor.execute(_PARENTS, (found["application_id"],))
    parents = dict(open_cursor.fetchall())
    parents.pop(found["id"], None)
    if root_of(target_id, parents) == found["id"]:
        raise RejectedInput("invalid_merged_into", f"template {target_id} is this one, or is merged into it")


def _find(open_cursor: cursor, template_id: int) -> dict[str, Any]:
    open_cursor.execute(_FIND, (template_id,))
    row = open_cursor.fetchone()
    if row is None:
        raise RejectedInput("unknown_template", f"there is no template {template_id}", status=404)
    return dict(zip((column.name for column in open_cursor.description or ()), row, strict=True))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "application", "text", "name", "merged_into")
    return {name: row[name] for name in names} | {"ignored": row["is_ignored"]}
