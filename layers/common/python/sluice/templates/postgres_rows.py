"""The templates of stored rows."""

from collections.abc import Collection

from sluice.runtime.postgres import Database, show_applications

# The template of a row of log_entries, which may have got it after the row was stored; null where it is not known.
TEMPLATE = """coalesce(template_id, (
    SELECT known.template_id FROM template_keys known
    WHERE known.application_id = log_entries.application_id AND known.template_key = log_entries.template_key))"""

_PARENTS = """
SELECT template_id, coalesce(merged_into, mined_into) FROM templates
WHERE application_id = ANY (%s) AND coalesce(merged_into, mined_into) IS NOT NULL"""


def read_parents(database: Database, visible: Collection[int]) -> dict[int, int]:
    """What templates of these applications were merged into. Raises Unavailable."""
    with database.transaction() as cursor:
        show_applications(cursor, visible)
        cursor.execute(_PARENTS, (list(visible),))
        return dict(cursor.fetchall())
