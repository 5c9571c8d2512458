"""The rules that every application has unless somebody switches them off: the first alert needs no configuration."""

from collections.abc import Mapping

from sluice.alerts.model import Kind, Severity, Spec
from sluice.alerts.parse import RuleForm

# By the key that they are known by for ever.
DEFAULT_RULES: Mapping[str, RuleForm] = {
    "errors": RuleForm(
        "More than 50 errors in a minute",
        Spec(Kind.THRESHOLD, "level:>=error", window_seconds=60, above=50, resolve_below=25),
        Severity.CRITICAL,
    ),
    "silence": RuleForm(
        "No logs any more",
        Spec(Kind.ABSENCE, "", window_seconds=1_800, baseline_seconds=86_400, is_steady=True),
        Severity.CRITICAL,
    ),
    "new_errors": RuleForm(
        "New kind of error",
        Spec(Kind.NEW_TEMPLATE, "level:>=error", window_seconds=3_600, learning_seconds=86_400),
        Severity.WARNING,
    ),
    "anomalies": RuleForm("Something unusual", Spec(Kind.ANOMALY), Severity.WARNING),
}
