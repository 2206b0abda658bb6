"""`homestay dead-letters`: what could not be delivered, and what people do about it."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from bff.cli import dead_messages
from bff.cli.terminal import NOT_SO, complain, do, fail, read_settings, say, say_table

app: Final = typer.Typer(
    help="Look after what could not be delivered: list it, try it again, or drop it.", no_args_is_help=True
)
app.add_typer(dead_messages.app, name="messages")

Ids = Annotated[list[str] | None, typer.Argument(help="As `homestay dead-letters list` shows them.", metavar="[ID]…")]
All = Annotated[bool, typer.Option("--all", help="All that are dead, instead of these.")]


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, payloads included.")] = False,  # noqa: FBT002
) -> None:
    """List what is dead, the oldest first."""
    from bff.cli import tasks  # noqa: PLC0415 -- the other commands need not wait for these

    letters, total = do(tasks.dead_letters(read_settings()))
    if as_json:
        say(json.dumps({"total": total, "letters": [_json(letter) for letter in letters]}, ensure_ascii=False))
        return
    if letters:
        say_table(
            ("ID", "TOPIC", "ABOUT", "TRIES", "DIED", "ERROR"),
            (
                (each.id, each.topic, each.subject, each.attempts, f"{each.died_at:%Y-%m-%d %H:%M:%SZ}", each.error)
                for each in letters
            ),
        )
    say(f"{len(letters)} of {total} dead letters" if total > len(letters) else _count(total, "dead letter"))


@app.command()
def retry(ids: Ids = None, every: All = False) -> None:  # noqa: FBT002
    """Have dead letters delivered after all, from now on and as if they were new."""
    from bff.cli import tasks  # noqa: PLC0415

    done, unknown = do(tasks.retry_dead_letters(read_settings(), _chosen(ids, every=every)))
    _tell(done, unknown, "will be tried again")


@app.command()
def drop(ids: Ids = None, every: All = False) -> None:  # noqa: FBT002
    """Throw dead letters away: whoever they were for will never be told."""
    from bff.cli import tasks  # noqa: PLC0415

    done, unknown = do(tasks.drop_dead_letters(read_settings(), _chosen(ids, every=every)))
    _tell(done, unknown, "dropped")


def _chosen(ids: list[str] | None, *, every: bool) -> list[str] | None:
    """The ids, each once; None for all."""
    if bool(ids) == every:
        fail("say which: ids, or --all")
    return None if every else list(dict.fromkeys(ids or ()))


def _tell(done: int, unknown: list[str], what: str) -> None:
    say(f"{_count(done, 'dead letter')} {what}")
    if unknown:
        complain(f"not dead, or not there: {', '.join(unknown)}")
        raise SystemExit(NOT_SO)


def _count(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def _json(letter: Any) -> dict[str, Any]:  # noqa: ANN401 -- a DeadLetter, whose module need not be read for `--help`
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(letter).items()}
