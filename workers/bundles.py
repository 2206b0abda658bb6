"""Messages that a worker has taken, and those of them that it runs as one.

Each run of a message is a way through all middleware, a change of threads and an acknowledgement, which together cost
more than closing an order does. So messages of an actor that does the same for many as for one are run as one: with the
arguments of all, and what becomes of the run becomes of each. In Redis, each is still a message of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import dramatiq

from domain.tracing import TRACEPARENT

REDIS_ID: Final = "redis_message_id"
# Options that say nothing about how a message runs.
_PLAIN: Final = frozenset({REDIS_ID, TRACEPARENT})


class Taken(dramatiq.MessageProxy):
    """What a worker runs once: a message that it has taken, or several as one.

    Args:
        parts: the messages, each as Redis has it.

    Attributes:
        parts: the same.
        runs_again: whether it has to run again.
        delay: milliseconds until then.
    """

    def __init__(self, *parts: dramatiq.Message[Any]) -> None:
        first, *others = parts
        if others:
            # What middleware writes into the options is of the run, and not of the first message.
            arguments = tuple(argument for part in parts for argument in part.args)
            first = first.copy(args=arguments)
            first.options.clear()
        super().__init__(first)
        self.parts: Final = parts
        self.runs_again = False
        self.delay: int | None = None

    @property
    def ids(self) -> list[str]:
        """Under which Redis has the messages."""
        return [part.options[REDIS_ID] for part in self.parts]

    def encoded(self, **more: object) -> list[tuple[str, bytes]]:
        """The messages as they are after the run, each with its id.

        Args:
            more: options beside those that they have.
        """
        if len(self.parts) == 1:
            return [(self.options[REDIS_ID], self.copy(options=more).encode())]
        options = {**self.options, **more}
        return [
            (part.options[REDIS_ID], part.copy(options={**options, **part.options}).encode()) for part in self.parts
        ]


def joined(messages: Iterable[dramatiq.Message[Any]], most: Mapping[str, int]) -> list[Taken]:
    """What is to be run, in the order of the messages, or of the first of those that run as one.

    A message that ran before runs alone: what made it fail keeps no other from running.

    Args:
        messages: what was taken.
        most: by an actor's name, how many messages may run as one, for those that take any number of arguments.
    """
    runs: list[list[dramatiq.Message[Any]]] = []
    filling: dict[str, list[dramatiq.Message[Any]]] = {}
    for message in messages:
        limit = most.get(message.actor_name, 1)
        if limit == 1 or not _is_plain(message):
            runs.append([message])
            continue
        run = filling.get(message.actor_name)
        if run is None or len(run) >= limit:
            run = filling[message.actor_name] = []
            runs.append(run)
        run.append(message)
    return [Taken(*run) for run in runs]


def parts_of(message: dramatiq.MessageProxy | dramatiq.Message[Any]) -> Sequence[dramatiq.Message[Any]]:
    """The messages that run as this one: itself, with most brokers."""
    if isinstance(message, Taken):
        return message.parts
    return [message._message if isinstance(message, dramatiq.MessageProxy) else message]  # noqa: SLF001 -- dramatiq gives it no other name


def _is_plain(message: dramatiq.Message[Any]) -> bool:
    # One text and nothing else: of what looks otherwise, the actor is to judge alone.
    return (
        len(message.args) == 1
        and isinstance(message.args[0], str)
        and not message.kwargs
        and message.options.keys() <= _PLAIN
    )
