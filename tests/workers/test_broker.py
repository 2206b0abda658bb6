import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from workers import broker
from workers.settings import Settings
from workers.sorted_set_broker import SortedSetBroker


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("", StubBroker),
        ("redis://127.0.0.1:6379/3", SortedSetBroker),
        ("rediss://127.0.0.1:6379/3", SortedSetBroker),
        ("redis://127.0.0.1:6379/3?broker=stock", RedisBroker),
        ("amqp://guest:guest@127.0.0.1:5672/", RabbitmqBroker),
    ],
)
def test_the_url_chooses_the_broker(url: str, kind: type) -> None:
    assert type(broker.build(Settings(broker_url=url))) is kind


def test_the_choice_is_no_part_of_the_address() -> None:
    built = broker.build(Settings(broker_url="redis://127.0.0.1:6379/3?broker=stock&protocol=3"))
    assert isinstance(built, RedisBroker)
    assert built.client.connection_pool.connection_kwargs["db"] == 3
    assert "broker" not in built.client.connection_pool.connection_kwargs


def test_what_is_sent_to_another_broker_is_sent_one_by_one() -> None:
    stub = StubBroker(middleware=[])
    stub.declare_queue("order.closing")
    from workers import actors  # noqa: PLC0415 -- for a message that exists

    broker.send(stub, [(actors.close_unpaid_message("HSO1"), 100), (actors.close_unpaid_message("HSO2"), None)])
    assert (stub.queues["order.closing.DQ"].qsize(), stub.queues["order.closing"].qsize()) == (1, 1)
