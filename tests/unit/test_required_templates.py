"""Which templates a log can be of that fits a query."""

import pytest

from fakes import NOON
from sluice.search.parse import parse_filters
from sluice.search.required import required_templates


@pytest.mark.parametrize(
    ("query", "templates"),
    [
        ("template:17", {17}),
        ("refused template:17 level:error", {17}),
        ("(template:17 OR template:18) refused", {17, 18}),
        ("(template:17 OR template:18) template:18", {18}),
        ("template:17 OR refused", None),
        ("-template:17", None),
        ("refused", None),
        ("", None),
    ],
)
def test_required_templates(query: str, templates: set[int] | None) -> None:
    assert required_templates(parse_filters({"q": query}, NOON).condition) == templates
