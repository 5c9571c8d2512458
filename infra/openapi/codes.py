"""Every code that a problem can carry, found where it is raised."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_ERRORS = frozenset({"ContractError", "Denied", "RejectedInput", "Throttled", "Unavailable", "_Refused", "Refused"})
_FIELDS = (
    "above after against application archive_days baseline_seconds before below buckets by channel comment cursor "
    "description direction enabled ends_at expires_at factor fields for_seconds format group_by hot_days id ids "
    "ignored incident is_archived key_id kind labels learning_seconds level levels limit metadata min_count "
    "min_score min_severity muted name of_query order overlap_seconds per query reason resolve_above resolve_below "
    "retention_class rule service session_id severity since starts_at status steady target text trace_id until "
    "verdict version wait window_seconds"
)
# Raised under a name that is data where it is raised.
_BY_NAME = {"all_records_rejected", "byte_rate_exceeded", "daily_quota_exceeded", "request_rate_exceeded"}
_GATEWAY = re.compile(r'"code": "([a-z_]+)"')


def problem_codes() -> list[str]:
    """All codes: the functions', the layer's, and the gateway's own."""
    found = _BY_NAME | {"internal_error", *_GATEWAY.findall((REPOSITORY / "template.yaml").read_text(encoding="utf-8"))}
    for folder in ("functions", "layers/common/python"):
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            found.update(_raised(ast.parse(file.read_text(encoding="utf-8"))))
    return sorted(found)


def _raised(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ERRORS:
            yield from _codes(node.args)


def _codes(arguments: list[ast.expr]) -> Iterator[str]:
    """The code is the first argument (of a record's refusal: the second) that looks like one."""
    for argument in arguments[:2]:
        if isinstance(argument, ast.Constant) and re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", str(argument.value)):
            yield str(argument.value)
            return
        if isinstance(argument, ast.JoinedStr) and ast.unparse(argument).startswith("f'invalid_"):
            yield from (f"invalid_{name}" for name in _FIELDS.split())
            return
