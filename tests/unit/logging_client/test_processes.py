"""Forks and the ends of processes, in real ones."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sluice_logging

from unit.cli.playback import Answer, Playback
from unit.logging_client.receiver import Receiver

FOLDER = Path(sluice_logging.__file__).parents[1]
START = """
import atexit, logging, multiprocessing, os, signal, sys, threading, time
from sluice_logging import SluiceHandler, flush
handler = SluiceHandler({url!r}, "slc_key", interval_seconds=30, close_seconds={close_seconds})
logging.basicConfig(handlers=[handler], level=logging.INFO)
log = logging.getLogger("job")
"""


def run(server: Playback, program: str, close_seconds: float = 20) -> subprocess.CompletedProcess[str]:
    """Runs it on this Python; the time limit is there for a process that never ends."""
    start = START.format(url=f"{server.url}/v1", close_seconds=close_seconds)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", start + program]
    environ = {"PYTHONPATH": str(FOLDER)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit(3)",
        "raise RuntimeError",
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)",
        "threading.Thread(target=lambda: (time.sleep(0.1), log.info('thread'))).start()",
        "atexit.register(lambda: log.info('atexit'))",
        "atexit.register(lambda: handler.close())",
    ],
)
def test_what_is_queued_at_the_end_is_delivered(end: str, server: Playback, receiver: Receiver) -> None:
    done = run(server, f"log.info('one')\n{end}")
    expected = ["one", *(word for word in ("thread", "atexit") if f"info('{word}')" in end)]
    assert receiver.messages == expected, done.stderr


@pytest.mark.parametrize("can_start", [True, False], ids=["thread", "no-thread"])
def test_a_first_record_during_shutdown_is_delivered(can_start: bool, server: Playback, receiver: Receiver) -> None:
    """Python 3.12 refuses to start a thread then, and says so as below; later versions do in fewer cases."""
    refuse = """
def refuse(thread):
    raise RuntimeError("can't create new thread at interpreter shutdown")
threading.Thread.start = refuse
"""
    done = run(server, ("" if can_start else refuse) + "atexit.register(lambda: log.info('late'))")
    assert receiver.messages == ["late"]
    assert done.stderr == ""


def test_the_end_does_not_wait_beyond_its_deadline(server: Playback) -> None:
    is_over = threading.Event()

    def hang(request: object) -> Answer:
        is_over.wait(60)
        return Answer(hang_up=True)

    server.play = hang
    done = run(server, "log.info('one')", close_seconds=0.3)
    is_over.set()
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].startswith("sluice_logging: 1 logs were not delivered before")


def test_an_unreachable_server_delays_the_end_no_longer(server: Playback) -> None:
    server.url = "http://127.0.0.1:1"
    done = run(server, "log.info('one')", close_seconds=0.3)
    assert done.returncode == 0
    assert "cannot send logs, trying again: 127.0.0.1: ConnectionRefusedError" in done.stderr


def test_after_a_fork_each_process_sends_its_own_records_once(server: Playback, receiver: Receiver) -> None:
    done = run(
        server,
        """
log.info("before")
children = []
for number in range(4):
    pid = os.fork()
    if pid == 0:
        for position in range(10):
            log.info("child %d-%d", number, position)
        sys.exit(0)
    children.append(pid)
    log.info("parent %d", number)
for pid in children:
    os.waitpid(pid, 0)
""",
    )
    expected = {"before", *(f"parent {number}" for number in range(4))}
    expected |= {f"child {number}-{position}" for number in range(4) for position in range(10)}
    assert receiver.counts() == dict.fromkeys(expected, 1), done.stderr


def test_a_fork_while_other_threads_log_and_send_blocks_nobody(server: Playback, receiver: Receiver) -> None:
    done = run(
        server,
        """
stop = threading.Event()
def work(name):
    position = 0
    while not stop.is_set():
        log.info("%s %d", name, position)
        position += 1
        time.sleep(0.0005)
threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
for thread in threads: thread.start()
try:
    for number in range(10):
        flush(0.01)
        pid = os.fork()
        if pid == 0:
            log.info("child %d", number)
            os._exit(0 if flush(20) else 1)
        assert os.waitpid(pid, 0)[1] == 0
finally:
    stop.set()
""",
    )
    assert done.returncode == 0, done.stderr
    counts = receiver.counts()
    assert set(counts.values()) == {1}
    assert {f"child {number}" for number in range(10)} <= counts.keys()


def test_children_of_multiprocessing_deliver_at_their_end(server: Playback, receiver: Receiver) -> None:
    done = run(
        server,
        """
log.info("before")
with multiprocessing.get_context("fork").Pool(2, initializer=log.info, initargs=("worker",)) as pool:
    pool.map(log.info, ["task 1", "task 2"], chunksize=1)
    pool.close()
    pool.join()
""",
    )
    assert receiver.counts() == {"before": 1, "task 1": 1, "task 2": 1, "worker": 2}, done.stderr
