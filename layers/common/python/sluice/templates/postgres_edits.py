"""What people make of templates, with its history."""

from typing import Any

from psycopg2.extensions import cursor
from psycopg2.extras import Json

from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database
from sluice.templates.edits import TemplateEdit
from sluice.templates.families import root_of
from sluice.templates.postgres_lock import lock_templates

_FIND = """
SELECT template_id AS id, a.application_id, a.name AS application, t.text, t.name, is_ignored, mined_into, merged_into,
       is_split, split_from
FROM templates t JOIN applications a USING (application_id) WHERE template_id = %s"""
_LOCK = "SELECT FROM applications WHERE application_id = %s FOR NO KEY UPDATE"
_PARENTS = """
SELECT template_id, coalesce(merged_into, mined_into) FROM templates
WHERE application_id = %s AND coalesce(merged_into, mined_into) IS NOT NULL"""
_CHANGE = "UPDATE templates SET name = %(name)s, is_ignored = %(is_ignored)s, merged_into = %(merged_into)s"
_NOTE = "INSERT INTO template_changes (application_id, template_id, key_id, was, became) VALUES (%s, %s, %s, %s, %s)"
_SAME = """
SELECT template_id FROM templates WHERE application_id = %(application_id)s AND text = %(text)s
                                    AND template_id <> %(id)s AND mined_into IS NULL LIMIT 1"""
_SPLIT = """
WITH raised AS (
    INSERT INTO template_sets (application_id, version, split_count) VALUES (%(application_id)s, 1, 1)
    ON CONFLICT (application_id) DO UPDATE
    SET version = template_sets.version + 1, split_count = template_sets.split_count + 1 RETURNING version
)
UPDATE templates SET is_split = %(is_split)s, mined_into = %(mined_into)s, split_from = %(split_from)s,
                     version = raised.version
FROM raised WHERE template_id = %(id)s"""
_LOCK_SECONDS = 5  # that miners are waited for
_EDITABLE = ("name", "is_ignored", "merged_into", "is_split")


class PostgresTemplateEdits:
    """For who administers templates. Raises Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change(self, template_id: int, edit: TemplateEdit, *, key_id: str) -> dict[str, Any]:
        """The template with its new values; what changed is noted with the key that did it.

        Raises RejectedInput ``unknown_template``; ``invalid_merged_into`` for a template of another application or one
        that is merged into this one; ``template_merged`` for one that the miner has merged, or, to be split, a person;
        ``invalid_split`` for one that cannot be told from another, or that the template it was split from is merged
        into.
        """
        with self._database.transaction() as open_cursor:
            found = _find(open_cursor, template_id)
            open_cursor.execute(_LOCK, (found["application_id"],))  # merges at the same time could make a circle
            if "is_split" in edit.values:
                open_cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
                lock_templates(open_cursor, found["application_id"])
            found = _find(open_cursor, template_id)
            if edit.values.get("merged_into") is not None:
                _check_merge(open_cursor, found, edit.values["merged_into"])
            was = {name: found[name] for name in _EDITABLE}
            became = {**was, **edit.values}
            if became["is_split"] != was["is_split"]:
                open_cursor.execute(_SPLIT, found | _split(open_cursor, found | became))
            if became != was:
                open_cursor.execute(f"{_CHANGE} WHERE template_id = %(id)s", became | {"id": template_id})
                open_cursor.execute(
                    _NOTE, (found["application_id"], template_id, key_id, *map(Json, _difference(was, became)))
                )
            return _shown(found | became)


def _difference(was: dict[str, Any], became: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    changed = [name for name in _EDITABLE if was[name] != became[name]]
    return {name: was[name] for name in changed}, {name: became[name] for name in changed}


def _split(open_cursor: cursor, wanted: dict[str, Any]) -> dict[str, Any]:
    """New values of the columns that say what a template was and is mined into."""
    if wanted["is_split"]:
        if wanted["merged_into"] is not None:
            raise RejectedInput("template_merged", "a person has merged this template: part it first", status=409)
        open_cursor.execute(_SAME, wanted)
        if (same := open_cursor.fetchone()) is not None:
            raise RejectedInput(
                "invalid_split", f"template {same[0]} has the same text: no log tells them apart", status=409
            )
        return {"is_split": True, "mined_into": None, "split_from": wanted["mined_into"]}
    target_id = wanted["split_from"]
    if target_id is not None and root_of(target_id, _parents(open_cursor, wanted)) == wanted["id"]:
        raise RejectedInput("invalid_split", f"template {target_id} is merged into this one: part it first", status=409)
    return {"is_split": False, "mined_into": target_id, "split_from": None}


def _parents(open_cursor: cursor, found: dict[str, Any]) -> dict[int, int]:
    """What the application's templates are merged into, but for this one."""
    open_cursor.execute(_PARENTS, (found["application_id"],))
    parents = dict(open_cursor.fetchall())
    parents.pop(found["id"], None)
    return parents


def _check_merge(open_cursor: cursor, found: dict[str, Any], target_id: int) -> None:
    if found["mined_into"] is not None:
        raise RejectedInput("template_merged", "the miner has merged this template already", status=409)
    target = _find(open_cursor, target_id)
    if target["application_id"] != found["application_id"]:
        raise RejectedInput("invalid_merged_into", "templates of different applications cannot be one")
    if root_of(target_id, _parents(open_cursor, found)) == found["id"]:
        raise RejectedInput("invalid_merged_into", f"template {target_id} is this one, or is merged into it")


def _find(open_cursor: cursor, template_id: int) -> dict[str, Any]:
    open_cursor.execute(_FIND, (template_id,))
    row = open_cursor.fetchone()
    if row is None:
        raise RejectedInput("unknown_template", f"there is no template {template_id}", status=404)
    return dict(zip((column.name for column in open_cursor.description or ()), row, strict=True))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "application", "text", "name", "merged_into")
    return {name: row[name] for name in names} | {"ignored": row["is_ignored"], "split": row["is_split"]}
