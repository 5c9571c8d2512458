"""The use cases of reading anomalies: what was unusual, and what it looked like."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.anomalies.document import document
from sluice.anomalies.postgres_reads import PostgresAnomalies
from sluice.anomalies.query import AnomalyCursor, parse_anomalies, parse_anomaly_id, unknown_anomaly
from sluice.anomalies.series import Series
from sluice.applications.model import KeyRecord
from sluice.search.parse import check_names

if TYPE_CHECKING:
    from functions.query.reads import Reads
else:
    from reads import Reads


@dataclass(frozen=True, slots=True)
class Anomalies:
    """The use cases. Each takes the reader's key and the parameters of the URL."""

    reads: Reads
    open_anomalies: Callable[[Collection[int]], PostgresAnomalies]

    def list(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """A page of them, the latest onset first."""
        query = parse_anomalies(parameters, self.reads.now())
        visible = self.reads.visible(key, query.applications)
        store = self.open_anomalies(visible.ids)
        rows = store.page(query)
        page = rows[: query.limit]
        texts = store.texts({template_id for row in page for template_id in row["template_ids"]})
        last = page[-1] if len(rows) > query.limit else None
        return {
            "anomalies": [document(row, visible.names[row["application_id"]], texts) for row in page],
            "next_cursor": AnomalyCursor(last["onset"], last["anomaly_id"]).text if last else None,
        }

    def show(self, key: KeyRecord, text: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """One of them with the rate that led to it."""
        anomaly_id = parse_anomaly_id(text)
        check_names(parameters)
        visible = self.reads.visible(key)
        store = self.open_anomalies(visible.ids)
        row = store.find(anomaly_id)
        if row is None:
            raise unknown_anomaly(anomaly_id)
        points = store.points(row, Series.from_key(row["lead"]))
        return {
            "anomaly": document(row, visible.names[row["application_id"]], store.texts(row["template_ids"])),
            "series": {
                "starts": [start for start, _, _ in points],
                "observed": [observed for _, observed, _ in points],
                "expected": [round(expected, 3) for _, _, expected in points],
            },
        }
