"""`homestay settings`: what is in effect here, and what is wrong with it."""

from dataclasses import asdict

import typer

from bff.cli.shown_settings import Plain, look
from bff.cli.terminal import CAN_NOT, Json, complain, say_json, say_wide_table


def settings(as_json: Json = False) -> None:  # noqa: FBT002
    """Show every setting: its variable, the value in effect (no secret), where it comes from, and what it means."""
    told = look()
    if as_json:
        say_json(
            {
                "settings": [asdict(each) for each in told.settings],
                "problems": [{"variable": variable, "message": message} for variable, message in told.problems],
                "unknown": [{"variable": variable, "like": like or None} for variable, like in told.unknown],
            }
        )
    else:
        say_wide_table(
            ("VARIABLE", "VALUE", "FROM", "MEANING"),
            [
                (
                    each.variable,
                    "(wrong)" if each.wrong else _said(each.value),
                    each.source,
                    each.meaning,
                )
                for each in told.settings
            ],
        )
    for variable, like in told.unknown:
        complain(f"{variable}: no such setting{like and f'; did you mean {like}?'}")
    for variable, message in told.problems:
        complain(f"{variable}: {message}")
    if told.problems:
        raise typer.Exit(CAN_NOT)


def _said(value: Plain) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
    return str(value)
