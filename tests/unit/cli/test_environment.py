from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.target import write_variable
from sluice_cli.environment import is_loopback, load, read_env_file
from sluice_cli.errors import SettingsError
from sluice_cli.times import future_moment, past_moment

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A folder with the env file of an embedded stack."""
    file = tmp_path / "build/stack/env"
    file.parent.mkdir(parents=True)
    file.write_text(
        "# local\nexport AWS_ENDPOINT_URL=http://127.0.0.1:4000\nexport SLUICE_API_KEY='slc_file'\nnonsense\n"
    )
    return tmp_path


def test_the_env_file_is_found_from_a_folder_below(stack: Path) -> None:
    below = stack / "infra/deep"
    below.mkdir(parents=True)
    found = load({}, below)
    assert (found.local_endpoint, found.key, found.stage) == ("http://127.0.0.1:4000", "slc_file", "local")


@pytest.mark.parametrize("endpoint", ["nonsense", "http://127.0.0.1:bad", "http://127.0.0.1:99999"])
def test_an_endpoint_that_is_none_is_named(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(SettingsError, match="is no URL of an AWS endpoint"):
        load({"AWS_ENDPOINT_URL": endpoint}, tmp_path)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_PROFILE", "SLUICE_URL"])
def test_the_local_key_is_not_taken_where_another_platform_is_meant(stack: Path, variable: str) -> None:
    assert load({variable: "https://api.example"}, stack).key is None
    assert load({}, stack, url="https://api.example").key is None


def test_the_shell_wins_for_our_variables_and_the_file_for_the_stacks_credentials(stack: Path) -> None:
    environ = {"SLUICE_API_KEY": "slc_shell", "AWS_ACCESS_KEY_ID": "AKIAREAL"}
    (stack / "build/stack/env").open("a").write("export AWS_ACCESS_KEY_ID=test\n")
    found = load(environ, stack)
    assert found.key == "slc_shell"
    assert found.variables["AWS_ACCESS_KEY_ID"] == "test"


def test_url_and_key_in_the_file_belong_to_the_files_stage(stack: Path) -> None:
    (stack / "build/stack/env").open("a").write("export SLUICE_URL=http://127.0.0.1:4000/x\n")
    assert load({}, stack, stage="local").url == "http://127.0.0.1:4000/x"
    for other in (load({}, stack, stage="dev"), load({"SLUICE_STAGE": "dev"}, stack)):
        assert (other.url, other.key, other.local_endpoint) == (None, None, "http://127.0.0.1:4000")


def test_options_win_and_secrets_are_not_in_the_representation(stack: Path) -> None:
    found = load({"SLUICE_STAGE": "dev"}, stack, stage="prod", key="slc_option")
    assert (found.stage, found.key, found.function_name("admin")) == ("prod", "slc_option", "sluice-prod-admin")
    assert "slc_" not in repr(found)


@pytest.mark.parametrize(
    "url", ["api.example", "ftp://api.example", "https://", "https://[bad", "https://a.example/?x=1"]
)
def test_a_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="no API URL"):
        load({}, tmp_path, url=url)


@pytest.mark.parametrize("stage", ["Prod", "a b", "-x", "x" * 40, "1st"])
def test_a_stage_that_cannot_be_in_a_stack_name_is_refused(tmp_path: Path, stage: str) -> None:
    with pytest.raises(SettingsError, match="no valid name"):
        load({}, tmp_path, stage=stage)


def test_a_damaged_env_file_is_one_clear_error(stack: Path) -> None:
    (stack / "build/stack/env").write_text("export A='open\n")
    with pytest.raises(SettingsError, match="Cannot read"):
        load({}, stack)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://localhost:4566/x", True),
        ("http://[::1]:1", True),
        ("http://10.0.0.1", False),
        ("https://lambda.eu-north-1.amazonaws.com", False),
        ("http://localhost.example", False),
    ],
)
def test_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x00"), min_size=1)
)
def test_a_remembered_value_is_read_back_as_it_was(value: str) -> None:
    file = Path("env")
    file.write_text("export A=1\nexport SLUICE_API_KEY=old\nexport B=2\n")
    write_variable(file, "SLUICE_API_KEY", value)
    write_variable(file, "SLUICE_API_KEY", value)
    assert read_env_file(file) == {"A": "1", "B": "2", "SLUICE_API_KEY": value}
    assert file.read_text().count("SLUICE_API_KEY") == 1
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-15m", "2026-11-24T11:45:00Z"),
        ("15m", "2026-11-24T11:45:00Z"),
        ("-2h", "2026-11-24T10:00:00Z"),
        ("7d", "2026-11-17T12:00:00Z"),
        ("2026-11-24T12:00:00+02:00", "2026-11-24T10:00:00Z"),
        ("2026-11-24 12:00", "2026-11-24T12:00:00Z"),
    ],
)
def test_moments_in_the_past(text: str, expected: str) -> None:
    assert past_moment(text, NOW) == expected


def test_a_span_into_the_future() -> None:
    assert future_moment("90d", NOW) == "2027-02-22T12:00:00Z"


@pytest.mark.parametrize("text", ["", "yesterday", "15", "15 m", "-15x", "999999w", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="is no time"):
        past_moment(text, NOW)
