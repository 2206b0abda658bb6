"""Dead ones that somebody names, or all of them: how they are chosen, and what is said of what was done with them."""

from collections.abc import Sequence
from typing import Annotated

import typer

from bff.cli.terminal import NOT_SO, complain, fail, say, say_json

Ids = Annotated[list[str] | None, typer.Argument(help="As `list` shows them.", metavar="[ID]…")]
All = Annotated[bool, typer.Option("--all", help="All that are dead, instead of these.")]


def chosen(ids: Sequence[str] | None, *, every: bool) -> list[str] | None:
    """The ids, each once; None for all."""
    if bool(ids) == every:
        fail("say which: ids, or --all")
    return None if every else list(dict.fromkeys(ids or ()))


def told(thing: str, done: int, unknown: Sequence[str], what: str, *, as_json: bool) -> None:
    """Says how many were done, and names those that could not be."""
    if as_json:
        say_json({"done": done, "unknown": [*unknown]})
    else:
        say(f"{counted(done, thing)} {what}")
    if unknown:
        complain(f"not dead, or not there: {', '.join(unknown)}")
        raise SystemExit(NOT_SO)


def counted(number: int, thing: str) -> str:
    """A number of things, in words."""
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"
