"""functions/deliver: from the payload of an Invoke to a receiver and back; AWS is moto's."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from apps import load_app
from invocations import REGION, LambdaContext
from sluice.errors import ContractError
from sluice.notifications.aws import SesSender, SnsSender, _client, senders
from sluice.notifications.model import ChannelKind, Message, Outcome, Result, Task

app = load_app("deliver")

ARRIVED, FAILED = Outcome(Result.DELIVERED, "delivered", 200), Outcome(Result.FAILED, "timeout")
EVENT = {"kind": "firing", "incident_id": "i-1", "title": "errors", "severity": "critical", "sentence": "60 errors"}
MESSAGE = Message("firing", "shop", "2026-01-01T00:00:00+00:00", (EVENT,))
FAR = 4e9


@dataclass
class Told:
    """Sender that is told how its attempts end."""

    outcomes: list[Outcome]
    tasks: list[Task] = field(default_factory=list)

    def send(self, task: Task) -> Outcome:
        self.tasks.append(task)
        return self.outcomes.pop(0)


def task(message_id: str = "m1", kind: ChannelKind = ChannelKind.WEBHOOK, target: str = "https://x/s3cret") -> Task:
    return Task(message_id, kind, target, MESSAGE, FAR, ("whsec_c2VjcmV0",))


def test_what_arrived_is_not_sent_again_here() -> None:
    """Whoever asked died before it heard, and the next one asks again."""
    sender = Told([FAILED, ARRIVED, ARRIVED])
    deliver = app.Deliver({ChannelKind.WEBHOOK: sender})
    results = [deliver.send(task()) for _ in range(4)]
    assert [outcome.code for outcome in results] == ["timeout", "delivered", "delivered_before", "delivered_before"]
    assert deliver.send(task("m2")) == ARRIVED
    assert [sent.message_id for sent in sender.tasks] == ["m1", "m1", "m2"]


def test_what_is_remembered_has_a_bound() -> None:
    deliver = app.Deliver({ChannelKind.WEBHOOK: Told([ARRIVED] * (app.REMEMBERED + 2))})
    for number in range(app.REMEMBERED + 1):
        deliver.send(task(f"m{number}"))
    assert len(deliver.arrived) == app.REMEMBERED
    assert deliver.send(task("m0")) == ARRIVED


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"WEBHOOK_PORTS": "443", "WEBHOOK_ALLOW_LIST": "", "EMAIL_FROM": ""}.items():
        monkeypatch.setenv(name, value)
    app._dependencies.cache_clear()
    yield
    app._dependencies.cache_clear()


def test_the_handler_refuses_a_hostile_target_and_logs_none(
    deployed: None, lambda_context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = task(target="https://169.254.169.254/s3cret?token=s3cret")
    answer = app.handler(json.loads(json.dumps(hostile.to_event())), lambda_context)
    assert Outcome.from_answer(answer).code == "target_refused"
    written = capsys.readouterr().out
    assert "target_refused" in written
    assert not [word for word in ("s3cret", "169.254", "whsec_", "c2VjcmV0") if word in written + json.dumps(answer)]


def test_a_task_of_another_version_is_not_guessed_at(deployed: None, lambda_context: LambdaContext) -> None:
    with pytest.raises(ContractError):
        app.handler(task().to_event() | {"version": 2}, lambda_context)


@pytest.fixture
def clean_clients(aws: None) -> Iterator[None]:
    _client.cache_clear()
    yield
    _client.cache_clear()


def test_mail_of_an_incident_hangs_together(clean_clients: None) -> None:
    ses: Any = boto3.Session().client("sesv2", region_name=REGION)
    ses.create_email_identity(EmailIdentity="alerts@example.com")
    sent: list[dict[str, Any]] = []
    _client("sesv2").meta.events.register(
        "provide-client-params.sesv2.SendEmail", lambda params, **_: sent.append(params)
    )
    outcome = SesSender("alerts@example.com").send(task(kind=ChannelKind.EMAIL, target="ops@example.com"))
    assert outcome == Outcome(Result.DELIVERED, "delivered")
    (mail,) = sent
    headers = {header["Name"]: header["Value"] for header in mail["Content"]["Simple"]["Headers"]}
    assert headers["Message-ID"] == "<m1@example.com>"
    assert headers["References"] == headers["In-Reply-To"] == "<incident.i-1@example.com>"
    assert mail["Content"]["Simple"]["Subject"]["Data"] == "[critical] shop: errors"
    assert mail["Destination"] == {"ToAddresses": ["ops@example.com"]}


def test_mail_needs_a_sender(clean_clients: None) -> None:
    outcome = SesSender("").send(task(kind=ChannelKind.EMAIL, target="ops@example.com"))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "email_not_configured")


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_topics_get_json_and_the_id(clean_clients: None, suffix: str) -> None:
    sns: Any = boto3.Session().client("sns", region_name=REGION)
    attributes = {"FifoTopic": "true"} if suffix else {}
    arn = sns.create_topic(Name=f"sluice-alerts-ops{suffix}", Attributes=attributes)["TopicArn"]
    sent: list[dict[str, Any]] = []
    _client("sns", REGION).meta.events.register(
        "provide-client-params.sns.Publish", lambda params, **_: sent.append(params)
    )
    assert SnsSender().send(task(kind=ChannelKind.SNS, target=arn)).result is Result.DELIVERED
    (published,) = sent
    assert json.loads(published["Message"])["type"] == "alert.firing"
    assert published["MessageAttributes"]["id"]["StringValue"] == "m1"
    assert published.get("MessageDeduplicationId") == ("m1" if suffix else None)


def test_a_topic_that_is_not_there_is_refused_for_good(clean_clients: None) -> None:
    arn = f"arn:aws:sns:{REGION}:123456789012:sluice-alerts-none"
    outcome = senders("")[ChannelKind.SNS].send(task(kind=ChannelKind.SNS, target=arn))
    assert (outcome.result, outcome.code) == (Result.REFUSED, "aws_refused")
