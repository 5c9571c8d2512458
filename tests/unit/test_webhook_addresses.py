"""Where webhooks may not lead: by what their URL says, and by what their host's name means when it is looked up."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import write_certificate
from receiver import Receiver, receiving
from sluice.errors import RejectedInput
from sluice.notifications.addresses import AddressPolicy, Origin, check_url, is_public
from sluice.notifications.http import HttpSender
from sluice.notifications.model import ChannelKind, Message, Outcome, Result, Task

PUBLIC = "93.184.215.14"
HOOK = "hooks.example.com"
MESSAGE = Message("test", "shop", "2026-01-01T00:00:00+00:00")
NOW = 1_800_000_000.0

# Refused by the text alone: nobody looks up a name for them.
HOSTILE_URLS = [
    "http://hooks.example.com/x",  # not over TLS
    "ftp://hooks.example.com/x",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//hooks.example.com/x",
    "https:hooks.example.com",
    "https:///x",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",  # 127.0.0.1 as one number,
    "https://0x7f000001/",  # in hexadecimal,
    "https://017700000001/",  # in octal,
    "https://0177.0.0.1/",  # by parts,
    "https://0x7f.0.0.1/",
    "https://127.0.0.0x1/",
    "https://127.0.0.1./",  # and with a dot at the end
    "https://0.0.0.0/",
    "https://0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "https://169.254.170.2/v2/credentials",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2606:4700::1111]/",  # public, and still no name
    "https://93.184.215.14/",
    "https://localhost/",
    "https://localhost./",
    "https://db/",
    "https://service.localhost/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://printer.local/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://hooks.example.com./",
    "https://hooks..example.com/",
    "https://-hooks.example.com/",
    "https://hooks_example.com/",
    "https://user@hooks.example.com/",
    "https://user:secret@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1#@hooks.example.com/",
    "https://127.0.0.1\\@hooks.example.com/",
    "https://hooks.example.com\\.evil.example.com/",
    "https://hooks.example.com:22/",
    "https://hooks.example.com:6379/",
    "https://hooks.example.com:80/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:/",
    "https://hooks.example.com:99999/",
    "https://hooks.example.com:443x/",
    "https://%31%32%37.0.0.1/",
    "https://hooks.example.com%00.evil.example.com/",
    "https://１２７.０.０.１/",  # digits of full width: some libraries take them for digits
    "https://ⓛocalhost/",
    "https://hooks。example。com/",
    "https://exämple.com/",
    "https://hooks.example.com/\r\nHost: 127.0.0.1",
    "https://hooks.example.com/ HTTP/1.1",
    "https://hooks.example.com/\tx",
    "\thttps://hooks.example.com/",
    "https://hooks.example.com/\x00",
    "https://hooks.example.com/" + "x" * 3_000,
    "https://" + "x" * 64 + ".example.com/",
    "https://" + "x." * 130 + "com/",
    "https://[::1/",
    "https://[/",
    "",
]

# Refused by what the name leads to.
HOSTILE_ADDRESSES = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",  # metadata of EC2 and most others
    "169.254.170.2",  # of ECS
    "100.100.100.200",  # of Alibaba
    "168.63.129.16",  # of Azure, at a public address
    "192.0.0.192",  # of Oracle
    "100.64.0.1",  # carrier's NAT
    "192.0.2.1",  # documentation
    "198.18.0.1",  # benchmarks
    "198.51.100.7",
    "203.0.113.7",
    "192.88.99.1",  # 6to4 relays
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # compatible
    "::ffff:127.0.0.1",  # mapped
    "::ffff:93.184.215.14",
    "::ffff:0:127.0.0.1",  # translated
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b::808:808",
    "64:ff9b:1::7f00:1",
    "100::1",  # discarded
    "2001::1",  # Teredo
    "2001:0:53aa:64c:0:0:80ff:fffe",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4
    "2002:5db8:d70e::1",
    "2606:4700::5efe:7f00:1",  # ISATAP
    "2606:4700::200:5efe:a00:1",
    "3fff::1",
    "4000::1",  # not handed out
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of EC2 by IPv6
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",  # site-local
    "ff02::1",
    "2606:4700::1111%eth0",
    "0177.0.0.1",
    "127.1",
    "not an address",
]


def task(url: str, kind: ChannelKind = ChannelKind.WEBHOOK) -> Task:
    return Task("5cb8e8ea", kind, url, MESSAGE, not_after=NOW + 30, secrets=("whsec_c2VjcmV0",))


@dataclass
class Names:
    """Resolver that is told what names mean: a list of answers, the last of which stays."""

    answers: list[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "hook.pem", HOOK)


@pytest.fixture
def secure(certificate: Path) -> Iterator[Receiver]:
    """A server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiving(context=context) as receiver:
        yield receiver


def sender(names: Names, port: int = 443, allowed: str = "") -> HttpSender:
    origins = frozenset({Origin.parse(allowed)} if allowed else ())
    return HttpSender(AddressPolicy(frozenset({port}), origins), names, clock=lambda: NOW, seconds=2)


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=range(len(HOSTILE_URLS)))
def test_hostile_urls_are_refused_before_any_look_up(url: str) -> None:
    names = Names([[PUBLIC]])
    outcome = sender(names).send(task(url))
    assert outcome.result is Result.REFUSED
    assert outcome.code in ("invalid_url", "target_refused")
    assert names.asked == []


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES, ids=range(len(HOSTILE_ADDRESSES)))
def test_names_that_lead_to_hostile_addresses_are_refused(address: str) -> None:
    """Alone, and as one address among good ones, first and last."""
    assert not is_public(address)
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        outcome = sender(Names([answer])).send(task(f"https://{HOOK}/"))
        assert (outcome.result, outcome.code) == (Result.REFUSED, "target_refused")


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e"])
def test_public_addresses_pass(address: str) -> None:
    assert is_public(address)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["::ffff:0:0/96", "::/96", "64:ff9b::/96"]))
def test_no_address_passes_in_the_dress_of_another_family(number: int, prefix: str) -> None:
    base = int(ipaddress.ip_network(prefix).network_address)
    assert not is_public(str(ipaddress.IPv6Address(base + number)))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_whatever_is_not_global_does_not_pass(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert address.is_global or not is_public(str(address))


@given(st.text(max_size=60))
def test_whatever_is_written_as_a_url_is_judged(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{HOOK}{text}", f"https://{HOOK}/{text}"):
        try:
            target = check_url(url, AddressPolicy())
        except RejectedInput:
            continue
        assert target.port == 443
        assert target.host.isascii()
        assert target.path.startswith("/")
        assert target.path.isprintable()


def test_a_server_on_this_machine_is_never_touched() -> None:
    """By no URL, by no answer for a name."""
    with receiving() as receiver:
        port = receiver.port
        urls = [
            url.replace("/", f":{port}/", 3).replace(f":{port}/", "/", 2) for url in HOSTILE_URLS if url.count("/") > 2
        ]
        for url in (*urls, f"https://127.0.0.1:{port}/", f"http://localhost:{port}/", f"https://[::1]:{port}/"):
            assert sender(Names([["127.0.0.1"]]), port).send(task(url)).result is Result.REFUSED
        for address in ("127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::1"):
            outcome = sender(Names([[address]]), port).send(task(f"https://{HOOK}:{port}/"))
            assert outcome.result is Result.REFUSED
        assert (receiver.connections, receiver.requests) == (0, [])


def test_a_name_that_changes_is_asked_once_and_judged_each_time() -> None:
    """First a public address, then this machine: what was judged is what is connected to, and the next attempt is
    judged anew."""
    with receiving() as receiver:
        names = Names([["192.0.2.1"], ["127.0.0.1"]])
        sending = replace(sender(names, receiver.port), seconds=0.2)
        for _ in range(3):
            assert sending.send(task(f"https://{HOOK}:{receiver.port}/")).result is Result.REFUSED
        assert names.asked == [HOOK] * 3
        assert receiver.connections == 0


def test_the_connection_goes_to_the_judged_address_alone(secure: Receiver, certificate: Path) -> None:
    """The name is looked up once; that it means this machine by then changes nothing (here: allowed, to see it
    arrive)."""
    names = Names([["127.0.0.1"], ["192.0.2.1"]])
    sending = replace(
        sender(names, allowed=f"https://{HOOK}:{secure.port}"),
        context=lambda: ssl.create_default_context(cafile=str(certificate)),
    )
    assert sending.send(task(f"https://{HOOK}:{secure.port}/in?token=1")).result is Result.DELIVERED
    (request,) = secure.requests
    headers = request.headers
    assert (request.path, headers["Host"]) == ("/in?token=1", f"{HOOK}:{secure.port}")
    assert headers["webhook-id"] == "5cb8e8ea"
    assert headers["webhook-timestamp"] == str(int(NOW))
    assert names.asked == [HOOK]


def test_a_certificate_must_be_trusted_and_the_hosts(secure: Receiver, certificate: Path) -> None:
    untrusted = sender(Names([["127.0.0.1"]]), allowed=f"https://{HOOK}:{secure.port}")
    assert untrusted.send(task(f"https://{HOOK}:{secure.port}/")).code == "tls_failed"
    other = replace(
        sender(Names([["127.0.0.1"]]), allowed=f"https://other.example.com:{secure.port}"),
        context=lambda: ssl.create_default_context(cafile=str(certificate)),
    )
    assert other.send(task(f"https://other.example.com:{secure.port}/")).code == "tls_failed"
    assert secure.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with (
        receiving() as inner,
        receiving(status=status, headers={"Location": f"http://127.0.0.1:{inner.port}/"}) as outer,
    ):
        outcome = sender(Names([["127.0.0.1"]]), allowed="http://127.0.0.1:*").send(
            task(f"http://127.0.0.1:{outer.port}/")
        )
        assert (outcome.result, outcome.code, outcome.status) == (Result.FAILED, "redirected", status)
        assert len(outer.requests) == 1
        assert inner.connections == 0


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        sending = sender(Names([["127.0.0.1"]]), allowed="http://127.0.0.1:*")
        assert sending.send(task(f"http://127.0.0.1:{receiver.port}/")).result is Result.DELIVERED
        assert (proxy.connections, receiver.connections) == (0, 1)


@pytest.mark.parametrize(
    ("status", "result", "code"),
    [
        (200, Result.DELIVERED, "delivered"),
        (204, Result.DELIVERED, "delivered"),
        (400, Result.FAILED, "refused_by_receiver"),
        (410, Result.REFUSED, "gone"),
        (429, Result.FAILED, "refused_by_receiver"),
        (503, Result.FAILED, "receiver_failed"),
    ],
)
def test_answers(status: int, result: Result, code: str) -> None:
    with receiving(status=status, headers={"Retry-After": "30"}) as receiver:
        sending = sender(Names([["127.0.0.1"]]), allowed=f"http://127.0.0.1:{receiver.port}")
        outcome = sending.send(task(f"http://127.0.0.1:{receiver.port}/"))
    assert (outcome.result, outcome.code, outcome.status) == (result, code, status)
    assert outcome.retry_after_seconds == (30 if result is Result.FAILED else None)
    assert len(outcome.detail) <= 120
    assert outcome.detail.isprintable()
    assert "<" not in outcome.detail


@contextmanager
def listening(answer: bytes, pause: float = 0.05) -> Iterator[int]:
    """A server that answers one connection so, byte by byte, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        is_over = threading.Event()

        def serve() -> None:
            wire, _ = server.accept()
            with wire:
                wire.sendall(answer)
                while not is_over.wait(pause):
                    try:
                        wire.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            is_over.set()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (b"", Result.FAILED),
        (b"HTTP/1.1 100 Continue\r\n\r\n", Result.FAILED),
        (b"HTTP/1.1 500 No\r\nContent-Length: 9000\r\n\r\n", Result.FAILED),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", Result.DELIVERED),  # it said so: sending again would be one too many
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", Result.DELIVERED),
    ],
)
def test_a_receiver_that_trickles_is_cut_off(answer: bytes, result: Result) -> None:
    with listening(answer) as port:
        seconds = 3 if result is Result.DELIVERED else 0.3  # the first line has to be read, however busy the machine is
        sending = replace(sender(Names([["127.0.0.1"]]), allowed="http://127.0.0.1:*"), seconds=seconds)
        assert sending.send(task(f"http://127.0.0.1:{port}/")).result is result


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"\x16\x03\x01" * 20, b"HTTP/1.1 abc\r\n\r\n", b"X" * 70_000]
)
def test_what_is_not_http_is_a_failure(answer: bytes) -> None:
    with listening(answer, pause=5) as port:
        sending = replace(sender(Names([["127.0.0.1"]]), allowed="http://127.0.0.1:*"), seconds=0.5)
        assert sending.send(task(f"http://127.0.0.1:{port}/")).result is Result.FAILED


def test_nothing_is_sent_when_the_lease_is_over() -> None:
    with receiving() as receiver:
        sending = sender(Names([["127.0.0.1"]]), allowed="http://127.0.0.1:*")
        late = replace(task(f"http://127.0.0.1:{receiver.port}/"), not_after=NOW - 1)
        assert sending.send(late) == Outcome(Result.FAILED, "lease_over", detail="nothing was sent: it began too late")
        assert receiver.connections == 0


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_a_second_address_is_tried_if_the_first_is_dead() -> None:
    with receiving() as receiver:
        sending = sender(Names([["127.0.0.2", "127.0.0.1"]]), allowed="http://127.0.0.1:*")
        assert sending.send(task(f"http://127.0.0.1:{receiver.port}/")).result is Result.DELIVERED


def test_an_allowed_origin_allows_itself_alone() -> None:
    policy = AddressPolicy(
        allowed=frozenset({Origin.parse("http://10.0.0.5:8080"), Origin.parse("https://alerts.corp")})
    )
    assert check_url("http://10.0.0.5:8080/x", policy).is_allowed
    assert check_url("https://alerts.corp/x", policy).is_allowed
    for url in ("http://10.0.0.5/", "https://10.0.0.5:8080/", "http://10.0.0.6:8080/", "https://alerts.corp:8443/"):
        with pytest.raises(RejectedInput):
            check_url(url, policy)


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1", "ftp://x", "http://", "http://x/path", "http://a@b", "http://x:99999"]
)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Origin.parse(text)
