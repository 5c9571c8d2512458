"""The live tail's waiting, with fakes: how long, how often, and who may."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from apps import load_app
from fakes import NOON
from samples import key_record
from sluice.errors import RejectedInput
from sluice.search.model import Visible
from sluice.tail.model import Cursor, Page, Place

app = load_app("query")
KEY = key_record()


def page(*messages: str, xid: int = 1, has_more: bool = False, is_complete: bool = True, **more: bool) -> Page:
    logs = [{"message": text} for text in messages]
    return Page(logs, Place(xid), has_more, more.get("is_held_back", False), is_complete)


@dataclass
class Queue:
    """A tail whose pages are given, the last one again and again; one seat; and news at these times."""

    pages: list[Page]
    has_seat: bool = True
    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    read_from: list[int] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    news_at: tuple[float, ...] = ()
    read_at: list[float] = field(default_factory=list)

    def begin(self) -> Cursor:
        return Cursor("7-1", Place(1))

    def check(self, cursor: Cursor) -> Place:
        return cursor.place

    def read(self, place: Place, limit: int) -> Page:
        self.read_from.append(place.xid)
        self.read_at.append(round(self.now, 1))
        self.now += 0.01
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]

    def mark(self, application_ids: Sequence[int]) -> object:
        assert application_ids == [1]
        return sum(at <= self.now for at in self.news_at)

    @contextmanager
    def take(self, application_id: int, seconds: float) -> Iterator[bool]:
        assert application_id == KEY.application_id
        self.taken.append(seconds)
        yield self.has_seat

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def follow(self, **parameters: str) -> dict[str, Any]:
        reads = SimpleNamespace(now=lambda: NOON, visible=lambda *_: Visible({1: "shop"}))
        tail = app.Tail(reads, lambda *_: self, self, self, lambda: self.now, self.sleep)
        answer: dict[str, Any] = tail.follow(KEY, {"cursor": self.begin().to_text(), **parameters})
        return answer


def test_without_a_cursor_it_begins_now() -> None:
    queue = Queue([page("old")])
    answer = queue.follow(cursor="")
    assert (answer["logs"], queue.read_from, queue.slept) == ([], [], [])
    assert Cursor.from_text(answer["cursor"]) == queue.begin()


def test_logs_that_are_there_need_no_seat() -> None:
    queue = Queue([page("a", xid=5)])
    answer = queue.follow()
    assert [log["message"] for log in answer["logs"]] == ["a"]
    assert Cursor.from_text(answer["cursor"]) == Cursor("7-1", Place(5))
    assert (queue.taken, answer["pause_seconds"]) == ([], 0)


def test_it_answers_as_soon_as_there_are_logs() -> None:
    queue = Queue([page(xid=2), page(xid=3), page("a", xid=4)])
    assert [log["message"] for log in queue.follow()["logs"]] == ["a"]
    assert queue.read_from == [1, 2, 3]  # each time from where it got to
    assert queue.read_at == [0, 1, 2]


def test_it_looks_as_soon_as_it_hears_that_something_was_stored() -> None:
    queue = Queue([page(), page(), page("a")], news_at=(2.35, 7))
    queue.follow()
    assert queue.read_at == [0, 1, 2]
    queue = Queue([page(), page("a")], news_at=(0.35,))
    queue.follow()
    assert queue.read_at == [0, 0.4]


def test_what_was_stored_while_it_read_is_news() -> None:
    queue = Queue([page(), page("a")], news_at=(0.005,))
    queue.follow()
    assert queue.read_at == [0, 0.1]


def test_it_does_not_wait_for_news_where_an_older_transaction_runs() -> None:
    queue = Queue([page(is_complete=False), page(is_complete=False), page("a")])
    queue.follow()
    assert queue.read_at == [0, 0.2, 0.4]


@pytest.mark.parametrize(("wait", "seconds"), [("20", 20), ("3", 3), ("0", 0)])
def test_it_waits_no_longer_than_asked_for(wait: str, seconds: float) -> None:
    queue = Queue([page()])
    assert queue.follow(wait=wait)["logs"] == []
    assert seconds <= queue.now < seconds + 0.5
    assert queue.taken == ([seconds] if seconds else [])


def test_without_a_seat_it_does_not_wait_and_says_when_to_come_again() -> None:
    queue = Queue([page()], has_seat=False)
    assert queue.follow()["pause_seconds"] == 2
    assert queue.slept == []


def test_it_reads_on_without_waiting_while_there_is_more_to_look_at() -> None:
    queue = Queue([page(has_more=True), page(has_more=True), page("a")])
    queue.follow()
    assert queue.slept == []


def test_it_says_what_it_does_not_show_yet() -> None:
    assert Queue([page("a", has_more=True)]).follow()["is_behind"]
    assert Queue([page(is_held_back=True)]).follow(wait="0")["is_behind"]
    assert not Queue([page("a")]).follow()["is_behind"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"wait": "21"}, "invalid_wait"),
        ({"wait": "-1"}, "invalid_wait"),
        ({"limit": "0"}, "invalid_limit"),
        ({"limit": "1001"}, "invalid_limit"),
        ({"cursor": "x"}, "invalid_cursor"),
        ({"cursor": "WzEsMiwzXQ"}, "invalid_cursor"),
        ({"fields": "id"}, "unknown_parameter"),
        ({"q": "("}, "invalid_query"),
    ],
)
def test_mistakes(parameters: dict[str, str], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        Queue([page()]).follow(**parameters)
    assert caught.value.code == code
