"""Where an API key may stand in a request's headers."""

import base64
from collections.abc import Mapping

import pytest
from chalice.app import CaseInsensitiveMapping

from sluice.applications.credentials import challenge, read_credentials


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def sent(**headers: str) -> str | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_credentials(CaseInsensitiveMapping(named))


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer KEY",
        "bearer   KEY ",
        "Splunk KEY",
        "SPLUNK KEY",
        "ApiKey KEY",
        f"ApiKey {encoded('id:KEY')}",
        f"Basic {encoded('user:KEY')}",
        f"basic {encoded(':KEY')}",
        f"Basic {encoded(b'\xff\xfe:KEY')}",
    ],
)
def test_every_scheme(authorization: str) -> None:
    assert sent(Authorization=authorization) == "KEY"
    assert sent(AUTHORIZATION=authorization) == "KEY"


def test_a_header_of_its_own_comes_first() -> None:
    assert sent(X_API_Key="KEY", Authorization="Bearer other") == "KEY"
    assert sent(x_api_key=" KEY ") == "KEY"
    assert sent(X_API_Key="", Authorization="Bearer KEY") == "KEY"


def test_a_key_that_looks_like_base64_is_a_key() -> None:
    assert sent(Authorization="ApiKey abcd") == "abcd"
    assert sent(Authorization="ApiKey slc_a_b_c") == "slc_a_b_c"


def test_a_password_may_hold_colons() -> None:
    assert sent(Authorization=f"Basic {encoded('user:a:b')}") == "a:b"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_API_Key": ""},
        {"X_API_Key": " "},
        *(
            {"Authorization": value}
            for value in (
                *("", " ", "KEY", "Bearer", "Bearer ", "Basic", "ApiKey ", "Digest KEY", "Basic !!!", "Basic YQ"),
                *("Basic " + "x" * 8_192, f"Basic {encoded('no colon')}", f"Basic {encoded('user:')}", "Basic ключ"),
                *("\x00", "Basic \x00", "B\u00e4sic x", "Basic " + encoded(b"\x00" * 6_000), "Basic ===="),
            )
        ),
    ],
)
def test_nothing_that_could_be_a_key(headers: Mapping[str, str]) -> None:
    assert sent(**headers) is None


@pytest.mark.parametrize("scheme", ["Bearer", "Splunk", "ApiKey", "Basic"])
@pytest.mark.parametrize(
    "value", ["k" * 8_192, "ключ", "\x00", "\ud800", encoded(b":" + b"\xff" * 100), "a\tb", "=" * 99]
)
def test_hostile_headers_never_raise(scheme: str, value: str) -> None:
    key = sent(Authorization=f"{scheme} {value}", X_API_Key="")
    assert key is None or isinstance(key, str)
    assert sent(X_API_Key=value) == (value.strip() or None)


def test_a_refusal_names_every_scheme() -> None:
    expected = 'Bearer realm="sluice", Basic realm="sluice", ApiKey realm="sluice", Splunk realm="sluice"'
    assert challenge({}) == expected
    assert challenge({"sec-fetch-mode": "navigate"}) == expected


def test_a_script_in_a_page_causes_no_password_window() -> None:
    assert (
        challenge({"sec-fetch-mode": "cors"}) == 'Bearer realm="sluice", ApiKey realm="sluice", Splunk realm="sluice"'
    )
