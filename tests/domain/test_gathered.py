"""Questions that are asked together, without anybody's answer becoming another's, or another's trouble theirs."""

import asyncio
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import pytest

from domain import deadline, gathered, tracing
from domain.errors import UpstreamUnavailable
from domain.gathered import ALONE, PATIENCE, Gathered
from domain.guard import AT_ONCE
from domain.rpc import Refused, Unimplemented
from tests.spans import keeping

LIMIT: Final = 1.0
# Seconds, after which something hangs.
PATIENTLY: Final = 5.0


class Service:
    """Answers when it is told to, and remembers each call.

    Attributes:
        calls: what was asked for, call by call.
        left: the seconds that each call was given.
        answers: whether it answers now.
        failures: what it answers a key with instead.
        fails: what calls of several fail with.
        knows_several: whether it has that method.
    """

    def __init__(self, *, answers: bool = True, most: int = 100) -> None:
        self.calls: list[list[str]] = []
        self.left: list[float] = []
        self.at_once = self.most_at_once = 0
        self.answers = asyncio.Event()
        if answers:
            self.answers.set()
        self.failures: dict[str, Exception] = {}
        self.fails: Exception | None = None
        self.knows_several = True
        self.gathered: Gathered[str, str] = Gathered(
            "travel", self.one, self.several, knows_several=lambda: self.knows_several, most=most, limit=LIMIT
        )

    async def one(self, key: str) -> str:
        found = (await self._asked([key]))[key]
        if isinstance(found, Exception):
            raise found
        return found

    async def several(self, keys: list[str]) -> Mapping[str, str | Exception]:
        assert len(keys) > 1
        if self.fails is not None:
            self.calls.append(keys)
            raise self.fails
        return await self._asked(keys)

    async def _asked(self, keys: list[str]) -> dict[str, str | Exception]:
        self.calls.append(keys)
        self.left.append(deadline.remaining() or 0.0)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        # Known when the question came.
        answers: dict[str, str | Exception] = {
            key: self.failures.get(key, f"{key} by call {len(self.calls)}") for key in keys
        }
        try:
            await self.answers.wait()
        finally:
            self.at_once -= 1
        return answers

    def ask(self, keys: Iterable[str]) -> list[asyncio.Future[str]]:
        return [self.gathered.ask(key) for key in keys]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def unheard() -> Iterator[Callable[[], None]]:
    """Nothing fails that nobody hears of, from when it is called."""
    heard: list[Any] = []

    def listen() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))

    yield listen
    gc.collect()
    assert heard == []


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, nobody gives a call up."""
    monkeypatch.setattr(gathered, "PATIENCE", 60.0)


async def test_one_alone_is_asked_at_once_and_in_its_own_way() -> None:
    service = Service()
    answer = service.gathered.ask("a")
    await turns(3)
    assert await answer == "a by call 1"
    assert service.calls == [["a"]]


async def test_what_is_asked_in_one_turn_goes_out_together() -> None:
    service = Service()
    assert await asyncio.gather(*service.ask("abc")) == [f"{key} by call 1" for key in "abc"]
    assert service.calls == [["a", "b", "c"]]


async def test_what_several_want_is_asked_for_once() -> None:
    service = Service()
    assert await asyncio.gather(*service.ask("aba")) == ["a by call 1", "b by call 1", "a by call 1"]
    assert await asyncio.gather(*service.ask("cc")) == ["c by call 2"] * 2
    assert service.calls == [["a", "b"], ["c"]]


@pytest.mark.usefixtures("patient")
async def test_while_a_call_is_under_way_the_others_wait_for_it_and_then_go_together() -> None:
    service = Service(answers=False)
    asked = service.ask("a")
    await turns()
    for key in "bcd":
        asked += service.ask(key)
        await turns()
    assert service.calls == [["a"]]
    service.answers.set()
    await asyncio.gather(*asked)
    assert service.calls == [["a"], ["b", "c", "d"]]


async def test_no_answer_is_older_than_its_question() -> None:
    service = Service(answers=False)
    first = service.gathered.ask("a")
    await turns()
    assert service.calls == [["a"]]
    again = service.gathered.ask("a")
    await turns()
    service.answers.set()
    assert (await first, await again) == ("a by call 1", "a by call 2")
    assert await service.gathered.ask("a") == "a by call 3"


async def test_no_call_asks_for_more_than_fits() -> None:
    service = Service(most=2)
    await asyncio.gather(*service.ask("abcde"))
    assert service.calls == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_call_that_takes_long_keeps_nobody_waiting() -> None:
    service = Service(answers=False)
    hanging = service.gathered.ask("a")
    await turns()
    others = service.ask("bc")
    # A timer that was set for an earlier one may come up to twice as late.
    await asyncio.sleep(2 * PATIENCE + 0.02)
    assert service.calls == [["a"], ["b", "c"]]
    service.answers.set()
    assert await asyncio.gather(hanging, *others) == ["a by call 1", "b by call 2", "c by call 2"]


@pytest.mark.usefixtures("patient")
async def test_who_leaves_takes_the_answer_from_nobody_and_is_not_asked_for() -> None:
    service = Service(answers=False)
    leaver, stayer = service.ask("ab")
    await turns()
    leaver.cancel()
    late, later = service.ask("cd")
    late.cancel()
    service.answers.set()
    assert (await stayer, await later) == ("b by call 1", "d by call 2")
    assert service.calls == [["a", "b"], ["d"]]


async def test_each_waits_for_as_long_as_it_has_time_and_the_call_for_as_long_as_the_last() -> None:
    service = Service(answers=False)
    started = asyncio.get_running_loop().time()
    with deadline.budget(0.05):
        hasty = service.gathered.ask("a")
    (patient,) = service.ask("b")
    with pytest.raises(UpstreamUnavailable) as failure:
        await asyncio.wait_for(hasty, PATIENTLY)
    assert failure.value.upstream == "travel"
    assert 0.04 < asyncio.get_running_loop().time() - started < LIMIT / 2
    service.answers.set()
    assert await patient == "b by call 1"
    assert service.calls == [["a", "b"]]
    assert service.left[0] > LIMIT / 2


async def test_who_comes_late_waits_no_longer_than_its_own_time() -> None:
    service = Service(answers=False)
    # Of a service that hangs for good, each call has its own time.
    first = service.gathered.ask("a")
    await turns()
    started = asyncio.get_running_loop().time()
    with deadline.budget(0.2):
        late = service.gathered.ask("b")
    with pytest.raises(UpstreamUnavailable):
        await asyncio.wait_for(late, PATIENTLY)
    assert asyncio.get_running_loop().time() - started < LIMIT / 2
    assert not first.done()
    with pytest.raises(UpstreamUnavailable):
        await asyncio.wait_for(first, PATIENTLY)
    assert asyncio.get_running_loop().time() - started < 2 * LIMIT
    service.answers.set()
    assert await service.gathered.ask("c") == "c by call 3"


async def test_a_call_that_fails_fails_those_in_it_and_nobody_else() -> None:
    service = Service()
    service.fails = UpstreamUnavailable("travel", "the test says so")
    doomed = service.ask("ab")
    assert await asyncio.gather(*doomed, return_exceptions=True) == [service.fails] * 2
    service.fails = None
    assert await asyncio.gather(*service.ask("ab")) == ["a by call 2", "b by call 2"]


async def test_what_cant_be_told_of_one_is_told_of_the_others() -> None:
    service = Service()
    service.failures["b"] = UpstreamUnavailable("travel", "it makes no sense")
    assert await asyncio.gather(*service.ask("abc"), return_exceptions=True) == [
        "a by call 1",
        service.failures["b"],
        "c by call 1",
    ]


async def test_a_bug_is_told_to_all_who_ask_and_kept_from_the_next() -> None:
    service = Service()
    service.fails = LookupError("a bug")
    assert await asyncio.gather(*service.ask("ab"), return_exceptions=True) == [service.fails] * 2
    service.fails = None
    assert await asyncio.gather(*service.ask("ab")) == ["a by call 2", "b by call 2"]


async def test_a_question_that_is_refused_is_put_for_each_by_itself() -> None:
    service = Service()
    service.fails = service.failures["b"] = Refused("travel", "one of them is to blame")
    assert await asyncio.gather(*service.ask("abc"), return_exceptions=True) == [
        "a by call 2",
        service.failures["b"],
        "c by call 4",
    ]
    assert service.calls == [["a", "b", "c"], ["a"], ["b"], ["c"]]


async def test_a_service_that_lacks_the_method_is_asked_for_each_at_once_but_not_for_too_many() -> None:
    service = Service(answers=False)
    service.fails = Unimplemented("travel", "it lacks a method")
    keys = [f"k{number}" for number in range(ALONE + 2)]
    asked = service.ask(keys)
    await turns(3)
    service.knows_several = False
    more = service.ask(["more"])
    await turns()
    assert len(service.calls) == 1 + ALONE
    service.answers.set()
    assert len(await asyncio.gather(*asked, *more)) == ALONE + 3
    assert sorted(service.calls[1:]) == sorted([[key] for key in [*keys, "more"]])
    assert service.most_at_once == ALONE


async def test_a_call_that_is_ended_ends_the_questions_in_it() -> None:
    service = Service(answers=False)
    asked = service.ask("ab")
    await turns()
    (call,) = service.gathered._calls
    call.cancel()
    await asyncio.wait(asked, timeout=PATIENTLY)
    assert all(each.cancelled() for each in asked)
    service.answers.set()
    assert await service.gathered.ask("c") == "c by call 2"


async def test_nothing_is_kept_of_what_was_answered_or_given_up(unheard: Callable[[], None]) -> None:
    unheard()
    service = Service(answers=False)
    service.failures["b"] = UpstreamUnavailable("travel", "the test says so")
    asked = service.ask("abc")
    with deadline.budget(0.01):
        asked += service.ask("d")
    await turns()
    waiting = service.ask("e")
    asked[2].cancel()
    waiting[0].cancel()
    await asyncio.sleep(0.05)
    service.answers.set()
    await asked[0]
    await asyncio.sleep(0)
    kept = service.gathered
    assert not kept._open
    await asyncio.sleep(LIMIT + 0.1)
    assert not any((kept._open, kept._waiting, kept._alone, kept._calls, kept._awaited, kept._watch))
    del asked, waiting


async def test_each_has_the_question_among_its_steps() -> None:
    service = Service()

    async def guest(key: str) -> None:
        with tracing.span(f"guest {key}", parent={}):
            await service.gathered.ask(key)

    with keeping() as kept:
        await asyncio.gather(*(guest(key) for key in "abc"))
        await guest("d")
        await turns()
    guests = {key: kept.one(f"guest {key}").context for key in "abcd"}
    steps = kept.all("ask travel together")
    parents = [step.parent.span_id for step in steps if step.parent]
    assert sorted(parents) == sorted(context.span_id for key, context in guests.items() if context and key != "d")
    (call,) = [step for step in steps if step.links]
    assert call.parent is not None
    assert guests["a"] is not None
    assert call.parent.span_id == guests["a"].span_id
    assert [link.context.span_id for link in call.links] == [
        context.span_id for key in "bc" if (context := guests[key]) is not None
    ]


@pytest.mark.usefixtures("patient")
async def test_a_call_that_had_to_wait_is_a_step_of_those_in_it() -> None:
    service = Service(answers=False)

    async def guest(key: str) -> None:
        with tracing.span(f"guest {key}", parent={}):
            await service.gathered.ask(key)

    with keeping() as kept:
        guests = [asyncio.create_task(guest("a"))]
        await turns()
        guests += [asyncio.create_task(guest(key)) for key in "bc"]
        await turns()
        service.answers.set()
        await asyncio.wait(guests, timeout=PATIENTLY)
        await turns()
    parents = {step.parent.span_id for step in kept.all("ask travel together") if step.parent}
    assert parents == {context.span_id for key in "bc" if (context := kept.one(f"guest {key}").context)}


def test_those_that_are_asked_for_alone_leave_room_before_the_guard() -> None:
    assert ALONE < AT_ONCE
