"""`homestay dead-letters messages`: messages of the broker that failed for good.

A message only makes sooner what the tables make sure, so none of these is owed to anybody; but a message that died of a
bug tells of the bug.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer

from bff.cli import progress
from bff.cli.chosen import All, Ids, chosen, counted, told
from bff.cli.terminal import Json, explained, fail, lesson, read_settings, say, say_json, say_table
from workers.settings import ServiceSettings

if TYPE_CHECKING:
    from workers.dead_messages import DeadMessage, DeadMessages

    Act = Callable[[str, Sequence[str]], int]

_NOT_SO: Final = "an id is not dead, or not there; the others are done"

app: Final = typer.Typer(
    help="The broker's own messages that failed for good (Redis).",
    epilog=lesson("homestay dead-letters messages list", not_so=_NOT_SO),
    no_args_is_help=True,
)

# More than an operator reads at once; of each queue.
MOST: Final = 1000
_THING: Final = "dead message"


@app.command("list", epilog=lesson("homestay dead-letters messages list --json"))
def list_(as_json: Json = False) -> None:  # noqa: FBT002
    """List what is dead, the latest first, 1000 of each queue at most; kept for a week."""
    with explained():
        found = _all(_dead_messages())
    if as_json:
        say_json([asdict(each) for each in found])
        return
    if found:
        say_table(
            ("ID", "ACTOR", "ARGUMENTS", "DIED", "ERROR"),
            (
                (each.id, each.actor, json.dumps(each.arguments), f"{each.died_at:%Y-%m-%d %H:%M:%SZ}", each.error)
                for each in found
            ),
        )
    say(counted(len(found), _THING))


@app.command(epilog=lesson("homestay dead-letters messages retry --all", not_so=_NOT_SO))
def retry(ids: Ids = None, every: All = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Send dead messages again, with all their tries before them."""
    dead = _dead_messages()
    _each(chosen(ids, every=every), dead, dead.revive, "sent again", as_json=as_json)


@app.command(epilog=lesson("homestay dead-letters messages drop --all", not_so=_NOT_SO))
def drop(ids: Ids = None, every: All = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Throw dead messages away."""
    dead = _dead_messages()
    _each(chosen(ids, every=every), dead, dead.drop, "dropped", as_json=as_json)


def _dead_messages() -> "DeadMessages":
    from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415 -- the other commands need not wait for these

    from workers import actors  # noqa: PLC0415
    from workers.dead_messages import DeadMessages  # noqa: PLC0415

    read_settings(ServiceSettings)
    if not isinstance(actors.broker, RedisBroker):
        fail("only a Redis broker keeps dead messages here; RabbitMQ's are in its queues that end in .XQ")
    return DeadMessages(actors.broker)


def _all(dead: "DeadMessages") -> "list[DeadMessage]":
    from workers.broker import CLOSING_QUEUE, PAYMENT_QUEUE  # noqa: PLC0415

    return [each for queue in (CLOSING_QUEUE, PAYMENT_QUEUE) for each in dead.of(queue, limit=MOST)]


def _each(which: list[str] | None, dead: "DeadMessages", act: "Act", what: str, *, as_json: bool) -> None:
    done, unknown = 0, list[str]()
    with explained(), progress.shown() as tell:
        while True:
            queues = {each.id: each.queue for each in _all(dead)}
            wanted = [id_ for id_ in (queues if which is None else which) if id_ not in unknown]
            for at, id_ in enumerate(wanted):
                tell(f"message {done + len(unknown) + 1}", at, len(wanted))
                if id_ in queues and act(queues[id_], [id_]):
                    done += 1
                else:
                    unknown.append(id_)
            # All are more than are listed at once.
            if which is not None or not wanted:
                break
    told(_THING, done, unknown, what, as_json=as_json)
