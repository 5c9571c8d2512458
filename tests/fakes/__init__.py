"""In-memory stand-ins for the ports. Each passes the same contract suite (tests/contracts) as the real adapter."""

from fakes.admission import MemoryAdmission
from fakes.anomalies import MemoryCensus, MemoryEvidence, MemorySessionLogs, MemorySessionStore, MemoryWatchStore
from fakes.chunks import MemoryChunkStore, ScriptedRunner
from fakes.clock import NOON, ManualClock
from fakes.intake import MemoryIntake
from fakes.keys import MemoryKeyCache, MemoryKeyStore
from fakes.logs import MemoryLogCounter, MemoryLogReader, MemoryLogs
from fakes.metrics import MemoryMetricStore
from fakes.queue import MemoryQueue
from fakes.register import MemoryRegister
from fakes.templates import MemoryClusterer

__all__ = [
    "NOON",
    "ManualClock",
    "MemoryAdmission",
    "MemoryCensus",
    "MemoryChunkStore",
    "MemoryClusterer",
    "MemoryEvidence",
    "MemoryIntake",
    "MemoryKeyCache",
    "MemoryKeyStore",
    "MemoryLogCounter",
    "MemoryLogReader",
    "MemoryLogs",
    "MemoryMetricStore",
    "MemoryQueue",
    "MemoryRegister",
    "MemorySessionLogs",
    "MemorySessionStore",
    "MemoryWatchStore",
    "ScriptedRunner",
]
