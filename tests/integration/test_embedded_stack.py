"""The embedded stack keeps its promises: nothing left behind, nothing lost, one clear line when it cannot start."""

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import boto3
import psutil
import psycopg2
import pytest
from redis import Redis

from stack import REPOSITORY, Stack, embedded, running_stack

SERVERS = ("redis", "postgres", "pgbouncer", "emulator")
SLEEPING_FUNCTION = "import time\n\ndef handler(event, context):\n    time.sleep(60)\n"


def until(condition: Callable[[], bool], timeout_seconds: float = 10) -> None:
    """Wait for the condition; AssertionError if it does not come true."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


def is_running(process: psutil.Process) -> bool:
    """Whether the process is still there; one that only waits to be collected is not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def processes_of(stack: Stack) -> list[psutil.Process]:
    """The supervisor and everything below it."""
    supervisor = psutil.Process(stack.supervisor_pid())
    return [supervisor, *supervisor.children(recursive=True)]


def store_something(stack: Stack) -> None:
    with Redis.from_url(stack.redis_url) as client:
        client.set("kept", "yes")
    connection = psycopg2.connect(stack.connections["owner_database_url"])
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 'yes' AS answer")
    connection.close()


def assert_it_is_still_there(stack: Stack) -> None:
    with Redis.from_url(stack.redis_url, decode_responses=True) as client:
        assert client.get("kept") == "yes"
    connection = psycopg2.connect(stack.database_url("sluice_owner"))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM kept")
        assert cursor.fetchall() == [("yes",)]
    connection.close()


def aws(stack: Stack) -> boto3.Session:
    environment = stack.environment
    return boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )


def occupy_a_worker(stack: Stack) -> None:
    """Have the emulator run a function that is still busy when the test kills its surroundings."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", SLEEPING_FUNCTION)
    client = aws(stack).client("lambda", endpoint_url=stack.aws_endpoint_url)
    client.create_function(
        FunctionName="sleeper",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.handler",
        Timeout=60,
        Code={"ZipFile": archive.getvalue()},
    )
    client.invoke(FunctionName="sleeper", InvocationType="Event", Payload=b"{}")
    emulator = psutil.Process(stack.pid("emulator"))
    until(lambda: any("_worker.py" in " ".join(child.cmdline()) for child in emulator.children()))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of this module's own, that its tests may maltreat; its path has a space in it."""
    with running_stack(tmp_path_factory.mktemp("embedded") / "own stack") as stack:
        yield stack


def test_every_server_is_healthy_and_on_loopback_only(own: Stack) -> None:
    status = embedded("status", state=own.state)
    assert status.returncode == 0, status.stdout
    listening = [
        connection.laddr.ip
        for process in processes_of(own)
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= len(SERVERS)
    assert set(listening) == {"127.0.0.1"}


def test_secrets_are_for_their_owner_only(own: Stack) -> None:
    for name in ("accounts.json", "connections.json", "env", "pgbouncer/users.txt", "redis/redis.conf"):
        assert stat.S_IMODE((own.state / name).stat().st_mode) == 0o600, name
    passwords = json.loads((own.state / "accounts.json").read_text()).values()
    command_lines = " ".join(" ".join(process.cmdline()) for process in processes_of(own))
    assert not [password for password in passwords if password in command_lines]


def test_a_second_start_changes_nothing(own: Stack) -> None:
    before = {name: own.pid(name) for name in SERVERS}
    again = embedded("up", state=own.state)
    assert again.returncode == 0
    assert "already running" in again.stdout
    assert {name: own.pid(name) for name in SERVERS} == before


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_comes_back_with_its_data(own: Stack, name: str) -> None:
    store_something(own)
    port = own.port(name)
    own.kill(name)
    assert own.port(name) == port
    assert_it_is_still_there(own)


def test_what_is_deployed_survives_a_crash_of_the_emulator(own: Stack) -> None:
    client = aws(own).client("secretsmanager", endpoint_url=own.aws_endpoint_url)
    client.create_secret(Name="kept", SecretString="yes")
    saved = own.state / "emulator" / "state" / "secretsmanager.json"
    until(lambda: saved.exists() and '"kept"' in saved.read_text().replace("'", '"'))
    own.kill("emulator")
    assert client.get_secret_value(SecretId="kept")["SecretString"] == "yes"


def test_a_killed_supervisor_leaves_no_process_and_no_loss(own: Stack) -> None:
    store_something(own)
    occupy_a_worker(own)
    everything = processes_of(own)
    os.kill(own.supervisor_pid(), signal.SIGKILL)
    until(lambda: not any(is_running(process) for process in everything))
    assert embedded("status", state=own.state).returncode == 1
    assert embedded("up", state=own.state).returncode == 0
    assert_it_is_still_there(own)


def test_down_ends_everything_and_up_finds_everything(own: Stack) -> None:
    store_something(own)
    everything = processes_of(own)
    connections = own.connections
    assert embedded("down", state=own.state).returncode == 0
    until(lambda: not any(is_running(process) for process in everything), timeout_seconds=1)
    again = embedded("down", state=own.state)
    assert (again.returncode, again.stdout.strip()) == (0, "nothing was running")
    assert embedded("up", state=own.state).returncode == 0
    assert own.connections == connections
    assert_it_is_still_there(own)


def test_two_starts_at_once_make_one_stack(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "embedded", "up", "--without", "emulator", "--state", str(tmp_path / "state")]
    environ = os.environ | {"PYTHONPATH": str(REPOSITORY / "localstack")}
    starts = [subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [start.wait(timeout=30) for start in starts] == [0, 0]
    assert embedded("status", state=tmp_path / "state").returncode == 0
    embedded("down", state=tmp_path / "state")


def test_a_taken_port_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        failed = embedded("up", state=tmp_path / "state", environ={"SLUICE_POSTGRES_PORT": str(port)})
    assert failed.returncode == 1
    assert len(failed.stderr.strip().splitlines()) == 1
    for part in (str(port), "postgres", "SLUICE_POSTGRES_PORT"):
        assert part in failed.stderr
    assert_nothing_runs(tmp_path / "state")


def test_a_server_that_dies_at_start_is_shown_with_its_log(tmp_path: Path) -> None:
    damaged = tmp_path / "state" / "redis" / "appendonlydir"
    damaged.mkdir(parents=True)
    (damaged / "appendonly.aof.manifest").write_text("this is no manifest\n")
    failed = embedded("up", "--without", "emulator", state=tmp_path / "state")
    assert failed.returncode == 1
    assert "redis ended while it was starting" in failed.stderr
    assert "logs/redis.log" in failed.stderr
    assert "manifest" in failed.stderr
    assert_nothing_runs(tmp_path / "state")


def test_what_a_test_session_uses_is_not_deleted(tmp_path: Path) -> None:
    state, lock = tmp_path / "state", tmp_path / "state.lock"
    state.mkdir()
    (state / "lock").touch()
    with lock.open("w") as session:
        fcntl.flock(session, fcntl.LOCK_EX)
        refused = embedded("clean", "--unless-locked", str(lock), state=state)
        assert refused.returncode == 1
        assert f"{lock} is held by a running program" in refused.stderr
        assert (state / "lock").exists()
    assert embedded("clean", "--unless-locked", str(lock), state=state).returncode == 0
    assert not state.exists()


def test_a_deletion_that_is_killed_leaves_no_half_of_a_state(tmp_path: Path) -> None:
    state, count = tmp_path / "state", 10_000
    (state / "postgres").mkdir(parents=True)
    (state / "lock").touch()
    for number in range(count):
        (state / "postgres" / str(number)).touch()

    def is_whole() -> bool:
        try:
            return len(list((state / "postgres").iterdir())) == count
        except FileNotFoundError:
            return False

    command = [sys.executable, "-m", "embedded", "clean", "--state", str(state)]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY / "localstack")}) as deleting:
        while deleting.poll() is None and is_whole():
            pass
        deleting.kill()
    assert not state.exists()
    assert embedded("clean", state=state).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_only_a_state_directory_is_ever_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    refused = embedded("clean", state=tmp_path)
    assert refused.returncode == 1
    assert (tmp_path / "thesis.txt").exists()


def test_where_the_kernel_does_not_help_the_guard_ends_a_server_with_its_supervisor() -> None:
    guard = REPOSITORY / "localstack" / "embedded" / "guard.py"
    watch = "import os, runpy, sys; runpy.run_path(sys.argv[1])['watch'](['sleep', '60'], 15, os.getppid())"
    supervisor = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    process = psutil.Popen([sys.executable, "-c", supervisor, watch, str(guard)])
    until(lambda: len(process.children(recursive=True)) == 2)
    children = process.children(recursive=True)
    process.kill()
    process.wait()
    until(lambda: not any(is_running(child) for child in children))


def assert_nothing_runs(state: Path) -> None:
    assert embedded("status", state=state).returncode == 1
    assert [process.cmdline() for process in psutil.process_iter() if str(state) in " ".join(_cmdline(process))] == []


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
