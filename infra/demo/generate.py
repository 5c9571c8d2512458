"""Logs of a shop that does not exist: four services, an hour of trade, the same for the same seed. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

type JsonObject = dict[str, Any]

SPAN = timedelta(hours=1)

_PEOPLE = ("ana.petrov", "b.okafor", "chloé.martin", "darius", "e.lindqvist", "zoë-k", "李雷", "f.nakamura", "şule")
_WORDS = ("lamp", "crème brûlée set", "desk, oak", "socks ×3", "teapot 🫖", "ladder", "größe 42", "noise-free fan")
_REASONS = ("card expired", "limit reached", "issuer did not answer", "address differs")
_REGIONS = ("eu-north", "eu-south", "us-west", "ap-east")
_CURRENCIES = ("EUR", "SEK", "JPY", "USD")

_CHECKOUT_TRACE = """\
Order {order} could not be priced
Traceback (most recent call last):
  File "/srv/checkout/orders.py", line {line}, in place
    total = price(cart, rules)
  File "/srv/checkout/pricing.py", line 88, in price
    return sum(rule.apply(item) for item in cart)
KeyError: '{word}'"""
_PAYMENTS_TRACE = """\
Capture of charge {charge} failed
java.net.SocketTimeoutException: Read timed out after {latency} ms
\tat shop.payments.Gateway.send(Gateway.java:{line})
\tat shop.payments.Capture.run(Capture.java:57)
Caused by: java.io.IOException: connection to {region}.bank.example was reset"""


@dataclass(frozen=True)
class _Event:
    """Something a service logs; `share` is how often it happens in relation to the others."""

    service: str
    level: str
    share: int
    text: str


_EVENTS = (
    _Event("checkout", "DEBUG", 60, "cart {cart} now holds {count} items"),
    _Event("checkout", "INFO", 160, "order {order} placed by {person}: {count} items, {amount} {currency}"),
    _Event("checkout", "INFO", 70, "order {order} handed to the warehouse in {region}"),
    _Event("checkout", "WARNING", 30, "stock of {word!r} is down to {count}"),
    _Event("checkout", "ERROR", 12, _CHECKOUT_TRACE),
    _Event("auth", "DEBUG", 50, "session {session} renewed for {person}"),
    _Event("auth", "INFO", 170, "{person} signed in from {address}"),
    _Event("auth", "WARNING", 45, "wrong password for {person} from {address}, try {count} of 9"),
    _Event("auth", "ERROR", 9, "account {person} locked after too many tries from {address}"),
    _Event("payments", "INFO", 110, "charge {charge} captured: {amount} {currency} in {latency} ms"),
    _Event("payments", "WARNING", 40, "charge {charge} declined: {reason}"),
    _Event("payments", "ERROR", 14, _PAYMENTS_TRACE),
    _Event("payments", "CRITICAL", 4, "no payment provider answers in {region}, orders are held back"),
    _Event("search", "DEBUG", 40, "query plan for {word!r}: {count} terms, {region} replica"),
    _Event("search", "INFO", 150, "{word!r} matched {line} products in {latency} ms"),
    _Event("search", "WARNING", 24, "index in {region} is {latency} ms behind"),
    _Event("search", "CRITICAL", 2, "index in {region} is damaged at block {line}, reading from the copy"),
)
_SHARES = tuple(event.share for event in _EVENTS)


def generate(count: int, end: datetime, seed: int = 1) -> Iterator[JsonObject]:
    """`count` records for the ingest API, in order of time, over the hour before `end`."""
    chance = random.Random(seed)
    for position, event in enumerate(chance.choices(_EVENTS, _SHARES, k=count)):
        moment = end - SPAN * ((count - position - chance.random()) / count)
        values = _values(chance)
        yield {
            "timestamp": moment.isoformat(timespec="milliseconds"),
            "level": event.level,
            "message": event.text.format_map(values),
            "service": event.service,
            "trace_id": f"{chance.getrandbits(128):032x}",
            "metadata": _metadata(event, values, chance),
        }


def _values(chance: random.Random) -> JsonObject:
    return {
        "order": f"A-{chance.randrange(10**6):06}",
        "cart": f"{chance.getrandbits(32):08x}",
        "charge": f"ch_{chance.getrandbits(40):010x}",
        "session": f"{chance.getrandbits(48):012x}",
        "person": chance.choice(_PEOPLE),
        "word": chance.choice(_WORDS),
        "reason": chance.choice(_REASONS),
        "region": chance.choice(_REGIONS),
        "currency": chance.choice(_CURRENCIES),
        "address": f"198.51.100.{chance.randrange(1, 255)}",  # a network reserved for documentation
        "amount": f"{chance.lognormvariate(3.5, 1):.2f}",
        "count": chance.randint(1, 9),
        "line": chance.randint(10, 900),
        "latency": round(chance.lognormvariate(4, 0.8), 1),
    }


def _metadata(event: _Event, values: JsonObject, chance: random.Random) -> JsonObject:
    return {
        "user_id": 1000 + _PEOPLE.index(values["person"]),
        "latency_ms": values["latency"],
        "region": values["region"],
        "request": {"path": f"/{event.service}/{values['count']}", "retries": chance.choice((0, 0, 0, 1, 2))},
        "tags": chance.sample(("web", "app", "beta", "night"), k=2),
    }
