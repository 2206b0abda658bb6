"""What RabbitMQ tells of itself and of dramatiq's queues, to those who watch.

Asked on a connection of its own that is closed again: dramatiq's broker has one for each thread, and those that stay
silent between two looks are cut by the server.
"""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import pika
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.common import dq_name, xq_name
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker

# Seconds for each step of a connection; a server that hangs is given up after two of them.
PATIENCE: Final = 1.0
# Seconds between signs of life: without them, a server that falls silent once it is connected would be waited for.
_HEARTBEAT: Final = 1
_NOT_FOUND: Final = 404

# All that pika says where a server can't be asked; the second is no kind of the first.
ERRORS: Final = (AMQPError, AMQPConnectorException, OSError)


class Counts(NamedTuple):
    """Messages of one queue that no worker holds: RabbitMQ tells no others this way."""

    ready: int
    delayed: int
    dead: int


def ping(broker: RabbitmqBroker) -> None:
    """Returns where the server answers. May block, for some seconds at most.

    Raises:
        Exception: one of `ERRORS`; it can't be asked.
    """
    with _connected(broker):
        pass


def count(broker: RabbitmqBroker, queues: Iterable[str]) -> dict[str, Counts]:
    """How many messages each queue has. May block, for some seconds at most.

    Raises:
        Exception: one of `ERRORS`; it can't be asked.
    """
    with _connected(broker) as connection:
        return {
            queue: Counts(*(_messages(connection, name) for name in (queue, dq_name(queue), xq_name(queue))))
            for queue in queues
        }


def _messages(connection: pika.BlockingConnection, queue: str) -> int:
    channel = connection.channel()
    try:
        # Passive: to look makes no queue.
        return int(channel.queue_declare(queue, passive=True).method.message_count)
    except ChannelClosedByBroker as closed:
        if closed.reply_code != _NOT_FOUND:
            raise
        return 0  # nobody has sent anything there yet
    finally:
        if channel.is_open:
            channel.close()


@contextmanager
def _connected(broker: RabbitmqBroker) -> Iterator[pika.BlockingConnection]:
    known: Any = broker.parameters
    connection = pika.BlockingConnection([_impatient(each) for each in (known if isinstance(known, list) else [known])])
    try:
        yield connection
    finally:
        if connection.is_open:
            connection.close()


def _impatient(parameters: Any) -> Any:  # noqa: ANN401 -- pika declares no types
    one = copy.copy(parameters)
    one.connection_attempts = 1
    one.socket_timeout = one.stack_timeout = one.blocked_connection_timeout = PATIENCE
    one.heartbeat = _HEARTBEAT
    return one
