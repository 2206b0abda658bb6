"""`python -m bff.cli.pages docs/settings.md docs/command-line.md` writes the pages' tables anew, from the code.

What stands around the tables is written by hand and stays.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from bff.cli.main import app
from bff.cli.shown_settings import meaning, variable_of
from workers.settings import Variables

_TABLE: Final = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
_EXAMPLE: Final = re.compile(r"Example: (.*)")


def filled(page: str) -> str:
    """The page with its tables as they should be.

    Raises:
        KeyError: it wants a table that there is none of.
    """
    tables = {"settings": _settings, "commands": _commands}
    return _TABLE.sub(lambda table: "".join([table[1], *(f"{row}\n" for row in tables[table[2]]()), table[3]]), page)


def commands() -> dict[str, Any]:
    """Every command by its words, such as `dead-letters list`; groups are none."""
    return dict(_below(typer.main.get_command(app), ()))


def example(command: Any) -> str:  # noqa: ANN401 -- typer's commands are of a module that it does not publish
    """The line to type that the command's help shows."""
    found = _EXAMPLE.search(command.epilog or "")
    return found[1] if found else ""


def _below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 -- likewise
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if not inner:
        yield " ".join(words), command
    for name, each in inner.items():
        if each.hidden:  # for programs of ours
            continue
        yield from _below(each, (*words, name))


def _commands() -> Iterator[str]:
    yield "| `homestay …` | What it does | For example |"
    yield "|---|---|---|"
    for words, command in commands().items():
        yield f"| `{words}` | {' '.join((command.help or '').split())} | `{example(command)}` |"


def _settings() -> Iterator[str]:
    schema = Variables.model_json_schema()["properties"]
    yield "| Variable | Default | Values | Meaning |"
    yield "|---|---|---|---|"
    for name in Variables.model_fields:
        yield f"| `{variable_of(name)}` | {_default(schema[name])} | {_values(schema[name])} | {meaning(name)} |"


def _default(told: Mapping[str, Any]) -> str:
    default = told.get("default")
    return "(empty)" if default in {None, ""} else f"`{default}`"


def _values(told: Mapping[str, Any]) -> str:
    # What may be left out is the other kind, beside null.
    kind = next((each for each in told.get("anyOf", ()) if each.get("type") != "null"), told)
    if "enum" in kind:
        *others, last = (f"`{each}`" for each in kind["enum"])
        return f"{', '.join(others)} or {last}"
    if kind.get("type") == "boolean":
        return "`on` or `off`"
    if kind.get("writeOnly"):
        return "a secret"
    if kind.get("type") not in {"integer", "number"}:
        return "text"
    least = f"{kind['minimum']:,}" if "minimum" in kind else f"more than {kind['exclusiveMinimum']:,}"
    return f"{'whole number' if kind['type'] == 'integer' else 'number'}, {least} to {kind['maximum']:,}"


def main(arguments: Sequence[str]) -> None:
    """Writes each page that is named."""
    for name in arguments:
        page = Path(name)
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
