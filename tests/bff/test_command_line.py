"""The command line teaches: each help has an example that works, the pages are those of the code, codes are as told."""

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest

from bff.cli import pages
from bff.cli.shown_settings import variable_of
from bff.cli.terminal import CAN_NOT, NOT_SO
from tests.bff.shell import Shell
from workers.settings import Variables

DOCS: Final = Path(__file__).parents[2] / "docs"
COMMANDS: Final = pages.commands()
# Servers print where they are, `schema` prints SDL: there is nothing to tell in JSON.
NO_JSON: Final = {"run", "bff", "worker", "order-rpc", "travel-rpc", "payment-rpc", "schema"}
ORDER: Final = "HSO202611240317330W0MNS9K"


def words_of(line: str) -> list[str]:
    """What a line of a shell gives to `homestay`, without what the shell takes for itself."""
    words = shlex.split(line)
    return words[words.index("homestay") + 1 : words.index(">") if ">" in words else None]


def test_every_command_is_known() -> None:
    assert len(COMMANDS) >= 20
    assert {"run", "settings", "migrate", "dead-letters messages retry"} <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_help_has_an_example_that_would_run(words: str) -> None:
    command = COMMANDS[words]
    typed = words_of(pages.example(command))
    path = words.split()
    assert typed[: len(path)] == path
    with command.make_context(words, typed[len(path) :]) as context:
        assert context.command is command


@pytest.mark.parametrize("words", ["", "dead-letters", "dead-letters messages", *COMMANDS])
def test_every_help_shows_its_example_and_the_exit_codes(shell: Shell, words: str) -> None:
    shown = shell.run(*words.split(), "--help")
    text = " ".join(shown.out.split())
    assert (shown.code, shown.err) == (0, "")
    assert re.search(r"Example: (\S+=\S+ )*homestay \S", text)
    assert "Exit codes: 0 done" in text
    assert "2 can't be run like this" in text


@pytest.mark.parametrize("words", COMMANDS)
def test_whoever_tells_something_tells_it_to_machines(words: str) -> None:
    options = {name for each in COMMANDS[words].params for name in each.opts}
    assert ("--json" in options) == (words not in NO_JSON)


@pytest.mark.parametrize("page", ["settings.md", "command-line.md"])
def test_the_pages_are_those_of_the_code(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    # `make docs` writes it.
    assert pages.filled(text) == text
    table = text.partition("|---|")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    expected: Any = [variable_of(name) for name in Variables.model_fields] if page == "settings.md" else COMMANDS
    assert rows == list(expected)


def test_a_page_that_is_stale_is_seen() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert pages.filled(text.replace("| its port |", "| another |")) == text
    assert text.count("| its port |") == 1


def test_the_page_shows_what_is_said_of_wrong_values(shell: Shell) -> None:
    shell.set(port="http", pay_window="0")
    said = shell.run("bff").err
    assert said
    assert said in (DOCS / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("token --user 7", 0),
        ("schema", 0),
        ("settings", 0),
        ("dead-letters list", 0),
        (f"pay {ORDER}", NOT_SO),
        (f"refund {ORDER} --json", NOT_SO),
        ("dead-letters retry 5", NOT_SO),
        ("dead-letters drop 5 --json", NOT_SO),
        ("dead-letters retry", CAN_NOT),
        ("dead-letters messages list", CAN_NOT),
        ("token", CAN_NOT),
        ("token --user 0", CAN_NOT),
        ("token --user 7 --ttl soon", CAN_NOT),
        ("token --user 7 --ttl 9999999d", CAN_NOT),
        ("sweep", CAN_NOT),
        ("settlements --month June", CAN_NOT),
        ("worker", CAN_NOT),
        ("migrate --fast", CAN_NOT),
        ("fly", CAN_NOT),
        ("", CAN_NOT),
    ],
)
def test_exit_codes_are_those_of_the_page(shell: Shell, line: str, code: int) -> None:
    ended = shell.run(*line.split())
    assert ended.code == code, ended
    assert bool(ended.err) == (code != 0 and line != "")
    assert "Traceback" not in ended.err
    if code == CAN_NOT and line:
        assert ended.out == ""


@pytest.mark.parametrize(
    "line", ["migrate", "dead-letters list", f"pay {ORDER}", "sweep --once", "settlements --month 2026-10"]
)
def test_what_can_not_be_reached_is_one_line_and_code_2(shell: Shell, line: str) -> None:
    (shell.home / "var").mkdir()
    (shell.home / "var" / "homestay.sqlite3").mkdir()  # no file can be opened there
    ended = shell.run(*line.split(), *([] if line.startswith("settle") else ["--json"]))
    assert (ended.code, ended.out, len(ended.lines)) == (CAN_NOT, "", 1)
    assert "database" in ended.err
