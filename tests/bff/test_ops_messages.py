"""The operators' page over a Redis: its queues, and its dead messages."""

from collections.abc import AsyncIterator, Iterator

import pytest
from dramatiq.brokers.redis import RedisBroker

from bff.ops.page import UNKNOWN
from domain.order.room import OrderRoom
from tests.bff.client import any_database
from tests.bff.operators import DIED_OF, Operator, app_of, bury, message, rows, section, tiles, words
from tests.servers import Redis
from workers.broker import CLOSING_QUEUE, PAYMENT_QUEUE
from workers.sorted_set_broker import SortedSetBroker, connect

pytestmark = any_database
PLANTED = DIED_OF


@pytest.fixture(params=["ours", "dramatiq's"])
def broker(request: pytest.FixtureRequest, redis: Redis) -> Iterator[RedisBroker]:
    client = connect(redis.url)
    yield (
        SortedSetBroker(client=client, middleware=[])
        if request.param == "ours"
        else RedisBroker(client=client, middleware=[])  # type: ignore[no-untyped-call] # dramatiq's own
    )
    client.close()
    redis.wipe()


@pytest.fixture
async def operator(room: OrderRoom, broker: RedisBroker) -> AsyncIterator[Operator]:
    made = Operator(app_of(room, broker=broker))
    async with made.http:
        await made.sign_in()
        yield made


async def test_the_queues_show_their_depths_and_ages(operator: Operator, broker: RedisBroker) -> None:
    for queue in (CLOSING_QUEUE, PAYMENT_QUEUE):
        broker.declare_queue(queue)
    broker.enqueue(message("HSO1", sent=7200))
    broker.enqueue(message("HSO2"))
    broker.enqueue(message("HSO3"), delay=600_000)
    broker.enqueue(message("HSO4"), delay=900_000)
    broker.enqueue(message("HSO5"), delay=900_000)
    bury(broker, message("HSO6"))
    closing, payment = rows(await operator.see(), "queues")
    ours = isinstance(broker, SortedSetBroker)
    assert closing[:6] == [CLOSING_QUEUE, "2", "3", "0", "1", "2 h"]
    assert closing[6].startswith(("9 min", "10 min")) if ours else closing[6] == UNKNOWN
    assert payment == [PAYMENT_QUEUE, "0", "0", "0", "0", UNKNOWN, UNKNOWN]
    if ours:
        assert isinstance(broker, SortedSetBroker)
        broker.queue(CLOSING_QUEUE).take(1)
        assert rows(await operator.see(), "queues")[0][1:4] == ["1", "3", "1"]


async def test_dead_messages_are_shown_as_text(operator: Operator, broker: RedisBroker) -> None:
    bury(broker, message(PLANTED), message("HSO2", queue=PAYMENT_QUEUE))
    page = await operator.see()
    assert "<script" not in page
    assert [[*row[:3], row[4]] for row in rows(page, "messages")] == [
        [CLOSING_QUEUE, "order.close_unpaid", PLANTED, PLANTED],
        [PAYMENT_QUEUE, "order.close_unpaid", "HSO2", PLANTED],
    ]
    assert tiles(page)["Dead messages"] == ["2", "shown below"]


async def test_a_dead_message_is_sent_again_or_dropped(operator: Operator, broker: RedisBroker) -> None:
    first, second, third = bury(broker, message("HSO1"), message("HSO2"), message("HSO3"))
    again = await operator.send("/ops/messages", queue=CLOSING_QUEUE, id=first, do="retry")
    assert again.headers["Location"] == "/ops?done=message-retry"
    assert broker.client.lrange(f"{broker.namespace}:{CLOSING_QUEUE}", 0, -1) == [first.encode()]
    dropped = await operator.send("/ops/messages", queue=CLOSING_QUEUE, id=second, do="drop")
    assert dropped.headers["Location"] == "/ops?done=message-drop"
    assert [row[2] for row in rows(await operator.see(), "messages")] == ["HSO3"]
    gone = await operator.send("/ops/messages", queue=CLOSING_QUEUE, id=second, do="retry")
    assert gone.headers["Location"] == "/ops?done=nothing"
    elsewhere = await operator.send("/ops/messages", queue="sessions", id=third, do="drop")
    assert elsewhere.status_code == 400
    forged = await operator.http.post("/ops/messages", data={"queue": CLOSING_QUEUE, "id": third, "do": "drop"})
    assert forged.status_code == 403
    assert len(rows(await operator.see(), "messages")) == 1


async def test_a_redis_that_is_away_is_told_and_the_rest_still_is(room: OrderRoom) -> None:
    with Redis() as server:
        server.start()
        client = connect(server.url)
        operator = Operator(app_of(room, broker=SortedSetBroker(client=client, middleware=[])))
        async with operator.http:
            await operator.sign_in()
            server.kill()
            page = await operator.see()
            answer = await operator.send("/ops/messages", queue=CLOSING_QUEUE, id="x", do="drop")
        client.close()
    assert "The broker's queues can't be shown: the broker can't be asked" in words(section(page, "queues"))
    assert "can't be shown" in words(section(page, "messages"))
    assert "No letter waits." in words(section(page, "queues"))
    assert answer.headers["Location"] == "/ops?done=broker"
