"""What templates, anomalies, alert rules and incidents are at, from the database."""

from dataclasses import dataclass

from sluice.anomalies.model import Kind
from sluice.metrics.model import Sample
from sluice.runtime.postgres import Database, show_applications

_SEVERITIES = ("info", "warning", "critical")
_COUNTED_LINES = 100_000

_TEMPLATES = """
SELECT applications.name, count(template_id) FILTER (WHERE coalesce(merged_into, mined_into) IS NULL)
FROM applications LEFT JOIN templates USING (application_id) GROUP BY applications.name ORDER BY 1"""
_OVERFLOWED = "SELECT count(*) FROM template_sets WHERE overflowed_at IS NOT NULL"
_UNMINED = f"SELECT count(*) FROM (SELECT FROM unmined_lines LIMIT {_COUNTED_LINES}) AS waiting"
_RULES = "SELECT count(*), count(failure_code) FROM alert_rules WHERE is_enabled"
_INCIDENTS = "SELECT severity, count(*) FROM incidents WHERE status = 'firing' GROUP BY severity"

_ANOMALIES = "SELECT kind, count(*) FROM anomalies WHERE closed_at IS NULL AND NOT is_muted GROUP BY kind"


@dataclass(frozen=True, slots=True)
class PostgresAnalysis:
    """Of all applications."""

    database: Database

    def read(self) -> list[Sample]:
        """Raises Unavailable, ContractError."""
        with self.database.transaction() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '5s', true)")
            show_applications(cursor, None)
            cursor.execute(_TEMPLATES)
            templates = [Sample("templates", count, {"application": name}) for name, count in cursor.fetchall()]
            cursor.execute(_OVERFLOWED)
            ((overflowed,),) = cursor.fetchall()
            cursor.execute(_UNMINED)
            ((unmined,),) = cursor.fetchall()
            cursor.execute(_RULES)
            ((enabled, failing),) = cursor.fetchall()
            cursor.execute(_INCIDENTS)
            firing = dict(cursor.fetchall())
            cursor.execute(_ANOMALIES)
            anomalies = dict.fromkeys(Kind, 0) | dict(cursor.fetchall())
        return [
            *templates,
            Sample("templates_overflowed", overflowed),
            Sample("unmined_lines", unmined),
            Sample("rules_enabled", enabled),
            Sample("rules_failing", failing),
            *(Sample("incidents_firing", firing.get(severity, 0), {"severity": severity}) for severity in _SEVERITIES),
            *(Sample("anomalies_open", count, {"kind": kind}) for kind, count in sorted(anomalies.items())),
        ]
