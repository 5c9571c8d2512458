"""Where a webhook may lead: public hosts, by their names, over TLS. Pure; nothing is looked up here.

A URL is judged twice: as text (``check_url``, when a channel is made and at each sending), and by the addresses that
its host has (``check_addresses``, at each sending, right before the connection to one of exactly these addresses).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, urlsplit

from sluice.errors import RejectedInput

MAX_URL_CHARACTERS = 2_048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # printable ASCII but for what no URL has: " < > \ ^ ` { | }
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")  # the last label is no number in any notation
_SPECIAL_NAMES = ("arpa", "internal", "invalid", "local", "localhost", "onion", "test")  # RFC 6761 and its like

# What ``is_global`` lets pass and is no place on the Internet, or another way to write one that is not.
_REFUSED_NETWORKS: tuple[IPv4Network | IPv6Network, ...] = tuple(
    map(
        ip_network,
        (
            "192.88.99.0/24",  # anycast of 6to4 relays (RFC 7526)
            "168.63.129.16/32",  # a cloud's metadata at a public address
            "2001::/23",  # protocol assignments, Teredo among them (RFC 2928, RFC 4380)
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4 (RFC 3056): an IPv4 address inside
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)
_UNICAST = IPv6Network("2000::/3")  # all that is handed out: IPv4-mapped, NAT64, local and multicast lie outside
_ISATAP = (0x00005EFE, 0x02005EFE)  # interface identifiers with an IPv4 address inside (RFC 5214)


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that the operator allows by name, whatever it is. ``port`` None: any."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """``http(s)://HOST[:PORT]``, ``:*`` for any port; without one, the scheme's. Raises ValueError."""
        is_any = text.endswith(":*")
        parts = urlsplit(text.removesuffix(":*"))
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or text.count("/") != 2 or "@" in text:
            raise ValueError(f"{text!r} is not of the form http(s)://HOST[:PORT]")
        return cls(parts.scheme, parts.hostname, None if is_any else parts.port or _DEFAULT_PORTS[parts.scheme])


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Where webhooks may go: public hosts at these ports, and the origins that are ``allowed`` besides."""

    ports: frozenset[int] = frozenset({443})
    allowed: frozenset[Origin] = frozenset()

    def allows(self, scheme: str, host: str, port: int) -> bool:
        """Whether the operator named this origin."""
        return bool({Origin(scheme, host, port), Origin(scheme, host, None)} & self.allowed)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed. ``path`` is what a request asks for, with the query; ``is_allowed``: named by the operator, so
    that its addresses are not judged."""

    scheme: str
    host: str
    port: int
    path: str
    is_allowed: bool


def check_url(url: str, policy: AddressPolicy) -> Target:
    """The target of a URL. Raises RejectedInput ``invalid_url`` for what is none, and ``target_refused`` for one that
    leads where nothing is sent."""
    parts, port = _split(url)
    host, path = parts.hostname or "", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if policy.allows(parts.scheme, host, port):
        return Target(parts.scheme, host, port, path, is_allowed=True)
    if parts.scheme != "https":
        raise _refused("nothing is sent but over https")
    if port not in policy.ports:
        raise _refused(f"nothing is sent to port {port}")
    if not _NAME.fullmatch(host) or host.rpartition(".")[2] in _SPECIAL_NAMES:
        raise _refused("the host must be the full name of a public one, in ASCII (IDNA) and without a dot at its end")
    return Target(parts.scheme, host, port, path, is_allowed=False)


def check_addresses(addresses: Iterable[str]) -> None:
    """Raises RejectedInput ``target_refused`` unless there are addresses and each is a public one: a host with a public
    and a private address is not to be trusted with the choice."""
    found = list(addresses)
    if not found or not all(map(is_public, found)):
        raise _refused("the host has an address that is not a public one" if found else "the host has no address")


def is_public(text: str) -> bool:
    """Whether ``text`` is the address of one host on the Internet, and no disguise of another address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if any(address in network for network in _REFUSED_NETWORKS):
        return False
    return isinstance(address, IPv4Address) or _is_plain_unicast(address)


def _is_plain_unicast(address: IPv6Address) -> bool:
    interface = int(address) & (2**64 - 1)
    return address in _UNICAST and address.scope_id is None and interface >> 32 not in _ISATAP


def _split(url: str) -> tuple[SplitResult, int]:
    if len(url) > MAX_URL_CHARACTERS or not _CHARACTERS.fullmatch(url):
        raise _invalid(f"a URL has at most {MAX_URL_CHARACTERS} characters, of those that URLs may have")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid("this is not a URL") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise _invalid("a URL begins with https:// and a host")
    if "@" in parts.netloc or parts.netloc.endswith(":") or "#" in url or port == 0:
        raise _invalid("a URL has no user, no empty port and no fragment here")
    return parts, port or _DEFAULT_PORTS[parts.scheme]


def _invalid(detail: str) -> RejectedInput:
    return RejectedInput("invalid_url", detail)


def _refused(detail: str) -> RejectedInput:
    return RejectedInput("target_refused", detail)
