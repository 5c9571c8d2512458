"""The circuit breaker in front of the dead letters."""

from collections.abc import Mapping


def is_circuit_open(record_counts: Mapping[int, int], failed_counts: Mapping[int, int]) -> bool:
    """Whether the failures of one chunk look like a fault of ours rather than of one sender: most records of two or
    more applications failed. Both mappings are by application id."""
    failing = [
        application_id for application_id, failed in failed_counts.items() if 2 * failed > record_counts[application_id]
    ]
    return len(failing) >= 2
