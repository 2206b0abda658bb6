"""`homestay dead-letters messages`: messages of the broker that failed for good.

A message only makes sooner what the tables make sure, so none of these is owed to anybody; but a message that died of a
bug tells of the bug.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bff.cli.terminal import NOT_SO, complain, explained, fail, read_settings, say, say_table

if TYPE_CHECKING:
    from workers.dead_messages import DeadMessage, DeadMessages

    Act = Callable[[str, Sequence[str]], int]

app: Final = typer.Typer(help="The broker's own messages that failed for good (Redis).", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(help="As `list` shows them.", metavar="[ID]…")]
All = Annotated[bool, typer.Option("--all", help="All that are dead, instead of these.")]
# More than an operator reads at once.
MOST: Final = 1000


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
) -> None:
    """List what is dead, the latest first; kept for a week."""
    with explained():
        found = _all(_dead_messages())
    if as_json:
        say(json.dumps([asdict(each) for each in found], default=str, ensure_ascii=False))
        return
    if found:
        say_table(
            ("ID", "ACTOR", "ARGUMENTS", "DIED", "ERROR"),
            (
                (each.id, each.actor, json.dumps(each.arguments), f"{each.died_at:%Y-%m-%d %H:%M:%SZ}", each.error)
                for each in found
            ),
        )
    say(f"{len(found) or 'no'} dead message{'' if len(found) == 1 else 's'}")


@app.command()
def retry(ids: Ids = None, every: All = False) -> None:  # noqa: FBT002
    """Send dead messages again, with all their tries before them."""
    dead = _dead_messages()
    _each(ids, every=every, dead=dead, act=dead.revive, what="sent again")


@app.command()
def drop(ids: Ids = None, every: All = False) -> None:  # noqa: FBT002
    """Throw dead messages away."""
    dead = _dead_messages()
    _each(ids, every=every, dead=dead, act=dead.drop, what="dropped")


def _dead_messages() -> "DeadMessages":
    from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415 -- the other commands need not wait for these

    from workers import actors  # noqa: PLC0415
    from workers.dead_messages import DeadMessages  # noqa: PLC0415

    read_settings()
    if not isinstance(actors.broker, RedisBroker):
        fail("only a Redis broker keeps dead messages here; RabbitMQ's are in its queues that end in .XQ")
    return DeadMessages(actors.broker)


def _all(dead: "DeadMessages") -> "list[DeadMessage]":
    from workers.broker import CLOSING_QUEUE, PAYMENT_QUEUE  # noqa: PLC0415

    return [each for queue in (CLOSING_QUEUE, PAYMENT_QUEUE) for each in dead.of(queue, limit=MOST)]


def _each(ids: Sequence[str] | None, *, every: bool, dead: "DeadMessages", act: "Act", what: str) -> None:
    if bool(ids) == every:
        fail("say which: ids, or --all")
    with explained():
        queues = {each.id: each.queue for each in _all(dead)}
        chosen = list(queues) if every else list(dict.fromkeys(ids or ()))
        done = [id_ for id_ in chosen if id_ in queues and act(queues[id_], [id_])]
    say(f"{len(done) or 'no'} dead message{'' if len(done) == 1 else 's'} {what}")
    if missing := [id_ for id_ in chosen if id_ not in done]:
        complain(f"not dead, or not there: {', '.join(missing)}")
        raise SystemExit(NOT_SO)
