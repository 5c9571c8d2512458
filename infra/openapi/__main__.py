"""Renews functions/query/openapi.json, which the query function serves."""

from openapi.codes import REPOSITORY
from openapi.document import rendered

if __name__ == "__main__":
    (REPOSITORY / "functions" / "query" / "openapi.json").write_text(rendered(), encoding="utf-8")
