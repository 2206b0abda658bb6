"""`homestay dead-letters`: what could not be delivered, and what people do about it."""

from dataclasses import asdict
from typing import Final

import typer

from bff.cli import dead_messages, progress
from bff.cli.chosen import All, Ids, chosen, counted, told
from bff.cli.terminal import Json, do, lesson, read_settings, say, say_json, say_table
from workers.settings import ServiceSettings

_NOT_SO: Final = "an id is not dead, or not there; the others are done"

app: Final = typer.Typer(
    help="Look after what could not be delivered: list it, try it again, or drop it.",
    epilog=lesson("homestay dead-letters list", not_so=_NOT_SO),
    no_args_is_help=True,
)
app.add_typer(dead_messages.app, name="messages")

_THING: Final = "dead letter"


@app.command("list", epilog=lesson("homestay dead-letters list --json"))
def list_(as_json: Json = False) -> None:  # noqa: FBT002
    """List what is dead, the oldest first: 1000 of them at most. With --json the payloads, too."""
    from bff.cli import tasks  # noqa: PLC0415 -- the other commands need not wait for these

    letters, total = do(tasks.dead_letters(read_settings(ServiceSettings)))
    if as_json:
        say_json({"total": total, "letters": [asdict(letter) for letter in letters]})
        return
    if letters:
        say_table(
            ("ID", "TOPIC", "ABOUT", "TRIES", "DIED", "ERROR"),
            (
                (each.id, each.topic, each.subject, each.attempts, f"{each.died_at:%Y-%m-%d %H:%M:%SZ}", each.error)
                for each in letters
            ),
        )
    say(f"{len(letters)} of {total} dead letters" if total > len(letters) else counted(total, _THING))


@app.command(epilog=lesson("homestay dead-letters retry 17 18", not_so=_NOT_SO))
def retry(ids: Ids = None, every: All = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Have dead letters delivered after all, from now on and as if they were new."""
    from bff.cli import tasks  # noqa: PLC0415

    which = chosen(ids, every=every)
    with progress.shown() as tell:
        done, unknown = do(tasks.retry_dead_letters(read_settings(ServiceSettings), which, tell))
    told(_THING, done, unknown, "will be tried again", as_json=as_json)


@app.command(epilog=lesson("homestay dead-letters drop --all", not_so=_NOT_SO))
def drop(ids: Ids = None, every: All = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Throw dead letters away: whoever they were for will never be told."""
    from bff.cli import tasks  # noqa: PLC0415

    which = chosen(ids, every=every)
    with progress.shown() as tell:
        done, unknown = do(tasks.drop_dead_letters(read_settings(ServiceSettings), which, tell))
    told(_THING, done, unknown, "dropped", as_json=as_json)
