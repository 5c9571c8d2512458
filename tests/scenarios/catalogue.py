"""The words: what shops, portals and the like log."""

from scenarios.model import Template

type Steps = tuple[tuple[Template, float], ...]


def _steps(*lines: tuple[str, float]) -> Steps:
    """Of lines that start with their level."""
    return tuple((template(line), share) for line, share in lines)


def template(line: str) -> Template:
    """Of a line that starts with its level."""
    level, _, text = line.partition(" ")
    return Template(level, text)


FLOWS: dict[str, Steps] = {
    "orders": _steps(
        ("INFO POST /api/orders from {ip} answered in {ms} ms", 1.0),
        ("DEBUG stock of article {id} read from replica {digit}", 0.9),
        ("INFO order {id} placed by customer {user}", 0.97),
        ("WARNING payment of order {id} declined by the provider", 0.03),
    ),
    "catalogue": _steps(
        ("INFO GET /api/articles/{id} answered in {ms} ms", 1.0),
        ("DEBUG cache miss for article {id}", 0.2),
        ("INFO thumbnails of article {id} resized in {ms} ms", 0.1),
    ),
    "mail": _steps(
        ("INFO mail {uuid} queued for {email}", 1.0),
        ("INFO mail {uuid} delivered after {ms} ms", 0.98),
        ("WARNING mailbox of {email} is full", 0.02),
    ),
    "search": _steps(
        ("INFO search request {uuid} matched {count} documents", 1.0),
        ("DEBUG index segment {id} opened", 0.5),
        ("WARNING search request {uuid} took {ms} ms", 0.02),
    ),
    "billing": _steps(
        ("INFO invoice {id} rendered in {ms} ms", 1.0),
        ("INFO invoice {id} sent to customer {user}", 1.0),
        ("ERROR invoice {id} has no billing address", 0.004),
    ),
    "events": _steps(
        ("INFO consumed event {uuid} of partition {digit} at offset {id}", 1.0),
        ("DEBUG committed offset {id} of partition {digit}", 0.3),
        ("ERROR event {uuid} could not be parsed", 0.002),
    ),
    "uploads": _steps(
        ("INFO upload {uuid} of {count} bytes received from {ip}", 1.0),
        ("INFO upload {uuid} scanned in {ms} ms", 0.95),
        ("INFO upload {uuid} moved to storage node {digit}", 0.95),
    ),
    "shipping": _steps(
        ("INFO parcel {id} handed over to carrier", 1.0),
        ("INFO label {uuid} printed for parcel {id}", 0.99),
        ("WARNING carrier answered with status 503 for parcel {id}", 0.02),
    ),
}
# Whose requests have some steps nearly always.
LONG_FLOWS: dict[str, Steps] = {
    "checkout": _steps(
        ("INFO checkout of basket {uuid} started by customer {user}", 1.0),
        ("DEBUG voucher {hash} applied", 0.2),
        ("INFO payment {uuid} authorised in {ms} ms", 0.999),
        ("WARNING provider answered after {ms} ms", 0.03),
        ("INFO order {id} confirmed", 0.998),
        ("INFO confirmation mail {uuid} queued", 0.998),
    ),
    "import": _steps(
        ("INFO import {id} received from supplier {digit}", 1.0),
        ("INFO import {id} validated in {ms} ms", 1.0),
        ("WARNING import {id} has {count} unknown articles", 0.1),
        ("INFO import {id} written to replica {digit}", 0.998),
    ),
    "signup": _steps(
        ("INFO registration of {email} received", 1.0),
        ("DEBUG password hash computed in {ms} ms", 1.0),
        ("INFO verification code sent to {email}", 0.999),
        ("INFO account {uuid} created", 0.997),
        ("INFO newsletter preference of user {user} stored", 0.4),
    ),
    "export": _steps(
        ("INFO export {uuid} requested by {user}", 1.0),
        ("DEBUG query plan {hash} chosen", 0.9),
        ("INFO export {uuid} wrote {count} rows", 0.999),
        ("ERROR export {uuid} exceeded its quota", 0.004),
        ("INFO export {uuid} uploaded in {ms} ms", 0.998),
    ),
}
LOGIN_FAILED = template("WARNING login of user {user} from {ip} failed: wrong password")
ACCOUNT_LOCKED = template("WARNING account of user {user} locked after 5 failed logins")
LOGIN = (
    (template("INFO user {user} signed in from {ip}"), 0.93),
    (template("DEBUG session {uuid} created"), 0.93),
    (LOGIN_FAILED, 0.07),
    (ACCOUNT_LOCKED, 0.002),
)
UNHANDLED = template("ERROR request {uuid} failed with status 500 after {ms} ms")
# Which templates a slow leak makes come more often.
LEAKS = (
    template("WARNING garbage collection paused all threads for {ms} ms"),
    template("WARNING connection pool exhausted, waited {ms} ms for a connection"),
    template("WARNING query on table events took {ms} ms"),
    template("WARNING worker {digit} restarted after reaching {count} kB of memory"),
)
BANNER = (
    template("INFO starting with configuration {hash}"),
    template("INFO connected to database in {ms} ms"),
    template("INFO listening on port 8080"),
)
BUGS = (
    "TypeError: cannot read property of undefined in applyVoucher, order {id}",
    "column discount_code does not exist, statement {hash}",
    "NullPointerException while rendering basket {uuid}",
    "deserialisation of message {uuid} failed: unknown field tax_class",
    "upstream pricing refused the connection after {ms} ms",
    "permission denied for relation audit_trail, transaction {id}",
    "KeyError region while routing request {uuid}",
    "assertion failed: negative stock for article {id}",
)
NEWS = (
    "INFO experiment recommendations is active for request {uuid}",
    "INFO migration of preferences for user {user} finished",
    "DEBUG compressed response of request {uuid} to {count} bytes",
    "INFO prefetching {count} articles for user {user}",
)
HOURLY = (
    "INFO removed {count} expired sessions",
    "INFO exchange rates refreshed from provider in {ms} ms",
    "DEBUG statistics of {count} tables refreshed",
    "INFO sitemap rebuilt with {count} pages",
)
NIGHTLY = ("INFO archived file {uuid}", "INFO aggregated sales of shop {id}", "INFO rotated key {hash}")
WEEKLY = ("INFO full backup copied block {id}", "INFO reindexed collection {id} in {ms} ms")
RARE = (
    "WARNING certificate of upstream expires in {count} days",
    "WARNING clock differs by {ms} ms from its peers",
    "ERROR deadlock detected, transaction {id} rolled back",
    "INFO configuration reloaded by administrator {user}",
    "WARNING retrying connection to broker after {ms} ms",
    "ERROR unexpected end of stream from {ip}",
    "INFO feature switch toggled by administrator {user}",
    "WARNING disk usage of volume {digit} is above 80 percent",
    "ERROR could not resolve host name of replica {digit}",
    "INFO failover of replica {digit} completed in {ms} ms",
    "WARNING slow consumer disconnected from {ip}",
    "INFO account of user {user} deleted on request",
)
