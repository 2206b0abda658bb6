"""Spans of messages, batches, letters, calls and transactions, kept in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import dramatiq
import httpx
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Retries
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import outbox, tracing
from domain.database import Database
from domain.errors import InvalidInput, UpstreamUnavailable
from domain.order.closing import Outcome
from domain.outbox import Outbox
from tests.spans import Kept, keeping
from tests.workers.brokers import RecordingBroker
from workers import actors
from workers.bundles import Taken
from workers.clock import SystemClock
from workers.closer import Closer
from workers.message_traces import MessageTraces
from workers.sender import Sender
from workers.webhook import Webhook

only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def kept() -> Iterator[Kept]:
    with keeping() as kept:
        yield kept


def id_of(span: ReadableSpan | None) -> int:
    assert span is not None
    assert span.context is not None
    return int(span.context.span_id)


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def links_of(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


@pytest.fixture
def broker() -> Iterator[StubBroker]:
    broker = StubBroker(middleware=[MessageTraces(), Retries(max_retries=1, min_backoff=1, max_backoff=1)])
    broker.emit_after("process_boot")
    yield broker
    broker.close()


class Sink:
    """Runs messages of one actor, and remembers their traces."""

    def __init__(self, broker: StubBroker) -> None:
        self.options: list[dict[str, Any]] = []
        self.fails = 0
        self.actor = dramatiq.actor(broker=broker, actor_name="sink", throws=(InvalidInput,))(self.run)
        self._broker = broker

    def run(self, failure: str = "") -> None:
        with tracing.span("inside"):
            pass
        if failure == "refused":
            raise InvalidInput("no")
        if failure and self.fails == 0:
            self.fails += 1
            raise RuntimeError(failure)

    def work(self) -> None:
        worker = dramatiq.Worker(self._broker, worker_timeout=10, worker_threads=1)
        worker.start()
        try:
            self._broker.join(self.actor.queue_name, timeout=10_000, fail_fast=False)
            worker.join()
        finally:
            worker.stop()


def test_a_message_carries_who_sent_it_and_its_run_is_linked_to_that(kept: Kept, broker: StubBroker) -> None:
    sink = Sink(broker)
    with tracing.span("sending"):
        message = sink.actor.send()
    assert message.options[tracing.TRACEPARENT].split("-")[2] == f"{id_of(kept.one('sending')):016x}"
    sink.work()
    ran = kept.one("process sink")
    assert (parent_of(ran), links_of(ran)) == (None, [id_of(kept.one("sending"))])
    assert parent_of(kept.one("inside")) == id_of(ran)
    assert ran.context is not None
    assert ran.context.trace_id != ran.links[0].context.trace_id


def test_the_run_of_several_is_linked_to_all_who_sent_them(kept: Kept, broker: StubBroker) -> None:
    sink = Sink(broker)
    parts = []
    for sender in "ab":
        with tracing.span(sender):
            broker.emit_before("enqueue", sent := sink.actor.message(), None)
        parts.append(sent)
    taken = Taken(*parts, sink.actor.message())
    broker.emit_before("process_message", taken)
    broker.emit_after("process_message", taken)
    assert links_of(kept.one("process sink")) == [id_of(kept.one(sender)) for sender in "ab"]


@pytest.mark.parametrize("value", [None, "", "junk", "00-" + 32 * "0" + "-" + 16 * "0" + "-01", 5, ["a"]])
def test_a_message_that_does_not_say_who_sent_it_runs_as_before(kept: Kept, broker: StubBroker, value: object) -> None:
    sink = Sink(broker)
    options: dict[str, Any] = {} if value is None else {tracing.TRACEPARENT: value}
    broker.enqueue(sink.actor.message_with_options(**options))
    sink.work()
    assert links_of(kept.one("process sink")) == []
    assert kept.all("inside")


def test_one_that_is_sent_again_keeps_its_first_sender(kept: Kept, broker: StubBroker) -> None:
    sink = Sink(broker)
    with tracing.span("sending"):
        sink.actor.send("words of a guest")
    sink.work()
    first, second = sorted(kept.all("process sink"), key=lambda span: span.start_time or 0)
    sender = [id_of(kept.one("sending"))]
    assert (links_of(first), links_of(second)) == (sender, sender)
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert "words of a guest" not in first.to_json()


def test_a_refusal_is_no_failure(kept: Kept, broker: StubBroker) -> None:
    sink = Sink(broker)
    sink.actor.send("refused")
    sink.work()
    assert kept.one("process sink").status.status_code is StatusCode.UNSET


def test_off_a_message_carries_nothing(broker: StubBroker) -> None:
    assert tracing.TRACEPARENT not in Sink(broker).actor.send().options
    assert actors.close_unpaid_message("HSO1").options == {}
    assert actors.payment_status_message("HSO1", 1).options == {}


class KeepingBroker(RecordingBroker):
    """A broker that keeps whole messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dramatiq.Message[Any]] = []

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        self.messages.append(message)
        return super().enqueue(message, delay=delay)


async def test_a_timer_is_of_the_step_that_set_it_whatever_thread_sends_it(kept: Kept) -> None:
    broker = KeepingBroker()
    sender = Sender(broker)
    await sender.start()
    with tracing.span("placing"):
        sender.close_unpaid("HSO1", after=1200)
    sender.close_unpaid("HSO2", after=1200)
    await sender.stop()
    first, second = [message.options[tracing.TRACEPARENT].split("-") for message in broker.messages]
    created = kept.all("create order.close_unpaid")
    assert [first[2], second[2]] == [f"{id_of(span):016x}" for span in created]
    assert [parent_of(span) for span in created] == [id_of(kept.one("placing")), None]
    # The other header is as long as the client likes, and some orders wait for long.
    assert set(broker.messages[0].options) == {tracing.TRACEPARENT}


class Closes:
    async def close_many(self, sns: Sequence[str]) -> dict[str, Outcome]:
        with tracing.step("closing"):
            await asyncio.sleep(0.01)
        return dict.fromkeys(sns, Outcome.CLOSED)


async def test_a_batch_is_part_of_the_first_and_linked_to_the_others(kept: Kept) -> None:
    closer = Closer(Closes())

    async def one(sn: str) -> None:
        with tracing.span(sn, parent={}):
            await closer.close_if_unpaid(sn)

    await asyncio.gather(*(one(sn) for sn in "abc"))
    await one("d")
    together, alone = kept.all("close orders")
    ids = {sn: id_of(kept.one(sn)) for sn in "abcd"}
    assert (parent_of(together), links_of(together)) == (ids["a"], [ids["b"], ids["c"]])
    assert (parent_of(alone), links_of(alone)) == (ids["d"], [])
    assert [parent_of(span) for span in kept.all("closing")] == [id_of(together), id_of(alone)]


async def test_a_transaction_is_a_step_of_what_needs_it_and_alone_it_is_none(kept: Kept, database: Database) -> None:
    secret = "K7QX90AB"

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text("select :value"), {"value": secret})

    await database.write(work)
    await database.read(work)
    assert kept.all("write test_a_transaction_is_a_step_of_what_needs_it_and_alone_it_is_none") == []
    with tracing.span("needs it"):
        await database.write(work)
        with pytest.raises(ValueError, match=secret):
            await database.read(fail_with(secret))
    name = "test_a_transaction_is_a_step_of_what_needs_it_and_alone_it_is_none"
    written = kept.one(f"write {name}")
    assert parent_of(written) == id_of(kept.one("needs it"))
    assert dict(written.attributes or {})["db.system.name"] == database.engine.dialect.name
    failed = kept.one("read fail_with")
    assert (failed.status.status_code, dict(failed.attributes or {})["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert secret not in written.to_json() + failed.to_json()


def fail_with(secret: str) -> Any:
    async def work(_: AsyncConnection) -> None:
        raise ValueError(secret)

    return work


async def test_a_letter_remembers_its_step_and_delivers_no_word_of_it(kept: Kept, database: Database) -> None:
    clock = SystemClock()
    post = Outbox(database, clock)

    async def work(connection: AsyncConnection) -> None:
        await outbox.add(connection, "order.changed", {"HSO1": {"sn": "HSO1"}}, clock.sql_now())

    with tracing.span("writing"):
        await database.write(work)
    await asyncio.sleep(0.01)
    (letter,) = await post.take(["order.changed"], 1)
    assert letter.payload == {"sn": "HSO1"}
    written = kept.one("write test_a_letter_remembers_its_step_and_delivers_no_word_of_it")
    assert letter.traceparent.split("-")[2] == f"{id_of(written):016x}"
    await post.bury(letter, error="no")
    (dead,) = await post.dead()
    assert dead.payload == {"sn": "HSO1"}


@only_sqlite
async def test_off_a_letter_is_what_it_was(database: Database) -> None:
    clock = SystemClock()

    async def work(connection: AsyncConnection) -> str:
        await outbox.add(connection, "order.changed", {"HSO1": {"sn": "HSO1"}}, clock.sql_now())
        return str((await connection.execute(text("select payload from homestay_outbox"))).scalar_one())

    assert await database.write(work) == '{"sn": "HSO1"}'


@pytest.fixture
async def webhook() -> AsyncIterator[tuple[Webhook, list[httpx.Request]]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500 if len(asked) > 1 else 204)

    webhook = Webhook("https://receiver/?key=secret", "key")
    webhook._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with webhook:
        yield webhook, asked


async def test_who_is_told_of_a_change_hears_of_the_step(
    kept: Kept, webhook: tuple[Webhook, list[httpx.Request]]
) -> None:
    letter = outbox.Letter(
        id=1,
        topic="order.changed",
        subject="HSO1",
        payload={"sn": "HSO1"},
        created_at=SystemClock().now(),
        due_at=SystemClock().now(),
        attempts=1,
    )
    hook, asked = webhook
    await hook.announce(letter)
    span = kept.one("POST webhook")
    assert asked[0].headers["traceparent"].split("-")[2] == f"{id_of(span):016x}"
    assert "secret" not in span.to_json()
    tracing.install(None)
    with pytest.raises(httpx.HTTPStatusError):
        await hook.announce(letter)
    assert "traceparent" not in asked[1].headers


def test_what_can_not_be_asked_is_a_failure_told_by_its_kind(kept: Kept) -> None:
    with pytest.raises(UpstreamUnavailable), tracing.span("asking"):
        raise UpstreamUnavailable("travel", "words of another service")
    span = kept.one("asking")
    assert (span.status.status_code, dict(span.attributes or {})) == (
        StatusCode.ERROR,
        {"error.type": "UpstreamUnavailable"},
    )
    assert "words" not in span.to_json()
