"""Sends one message to one channel's target: a webhook, Slack, an e-mail by SES, a topic of SNS.

Trigger: Invoke, by watch (messages) and alerts (tests of channels). It runs outside the VPC, has no database and no
Redis, and may ask of AWS only to send: where URLs that anybody may have named are asked, nothing private is in reach.
Promise: one attempt, within its lease and 10 seconds, and a word on how it ended; a message that this environment saw
arrive is not sent again. On failure it answers so, or raises; the message is then sent again later, under the same id.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sluice.metrics.model import Sample
from sluice.notifications.addresses import AddressPolicy
from sluice.notifications.aws import senders
from sluice.notifications.http import HttpSender
from sluice.notifications.model import ChannelKind, Outcome, Result, Task
from sluice.notifications.ports import Sender
from sluice.runtime.observability import Logger, Metrics, count, keep
from sluice.runtime.settings import DeliverSettings

logger = Logger()
metrics = Metrics(namespace="Sluice")

REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Deliver:
    """The use case. Whoever asked may die before it hears that a message arrived, and then somebody asks again: what
    this environment remembers spares most receivers the second one. It is no promise: ids are."""

    senders: Mapping[ChannelKind, Sender]
    arrived: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def send(self, task: Task) -> Outcome:
        """One attempt."""
        if task.message_id in self.arrived:
            return Outcome(Result.DELIVERED, "delivered_before")
        outcome = self.senders[task.kind].send(task)
        if outcome.result is Result.DELIVERED:
            self.arrived.append(task.message_id)
        return outcome


@cache
def _dependencies() -> Deliver:
    settings = DeliverSettings.from_env()
    policy = AddressPolicy(settings.webhook_ports, settings.webhook_allow_list)
    web = HttpSender(policy)
    return Deliver({ChannelKind.WEBHOOK: web, ChannelKind.SLACK: web, **senders(settings.email_from)})


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Invoke entry point: a task of version 1 (sluice.notifications.model.Task) in, an outcome out."""
    task = Task.from_event(event)
    outcome = _dependencies().send(task)
    count(metrics, "sends", 1)
    if outcome.result is not Result.DELIVERED:
        extra = {"message_id": task.message_id, "kind": task.kind, "code": outcome.code, "status": outcome.status}
        logger.warning("not delivered", extra=extra)
        keep(metrics, None, logger, [Sample("errors", 1, {"service": "deliver", "code": outcome.code})])
    return outcome.to_answer()
