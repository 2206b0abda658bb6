"""`homestay settings`: what is in effect, where it comes from, and no secret of it."""

import json
import re
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from bff.cli.shown_settings import MASK, masked
from tests.bff.shell import Shell
from workers.setting_checks import DEVELOPMENT_KEY
from workers.settings import PREFIX, Variables

WORD: Final = "Pl4nted"
# What a password may have in it, quoted or not.
NASTY: Final = [
    WORD,
    f"{WORD}/x",
    f"{WORD}?x",
    f"{WORD}#x",
    f"x@{WORD}",
    f"x:{WORD}",
    f"{WORD}%40",
    f"://{WORD}",
    f"{WORD}\n",
]


def shown(shell: Shell, name: str) -> dict[str, Any]:
    """What is told to machines of one setting."""
    told = json.loads(shell.run("settings", "--json").out)
    found: dict[str, Any] = next(each for each in told["settings"] if each["variable"] == f"{PREFIX}{name.upper()}")
    return found


def test_every_setting_is_shown_with_its_meaning(shell: Shell) -> None:
    ended = shell.run("settings")
    assert (ended.code, ended.err) == (0, "")
    heading, *rows = ended.out.splitlines()
    assert heading.split() == ["VARIABLE", "VALUE", "FROM", "MEANING"]
    assert [row.split()[0] for row in rows] == [f"{PREFIX}{name.upper()}" for name in Variables.model_fields]
    told = json.loads(shell.run("settings", "--json").out)
    assert (told["problems"], told["unknown"]) == ([], [])
    assert all(each["source"] == "default" and len(each["meaning"]) > 5 for each in told["settings"])
    assert len({each["meaning"] for each in told["settings"]}) == len(Variables.model_fields)


def test_a_narrow_terminal_cuts_nothing_off(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    place = "a/very/long/name/of/a/directory/with/none/of/the/words/that/could/be/broken"
    shell.set(data_dir=place)
    shown = shell.run("settings").out
    assert max(map(len, shown.splitlines()[1:])) <= 80  # the heading is bold
    assert "…t" not in shown
    pieces = re.findall(r"^HOMESTAY_DATA_DIR +(\S+)|^ {29}(\S+)", shown, re.MULTILINE)
    assert place in "".join(first or other for first, other in pieces)


def test_where_a_value_comes_from_is_told(shell: Shell) -> None:
    (shell.home / ".env").write_text("HOMESTAY_PORT=8123\nHOMESTAY_PAY_WINDOW=30\nhomestay_host=0.0.0.0\n")
    shell.set(port="8124", log_level="", time_zone="UTC")
    told = json.loads(shell.run("settings", "--json").out)["settings"]
    found = {each["variable"].removeprefix(PREFIX): (each["value"], each["source"]) for each in told}
    assert found["PORT"] == (8124, "environment")
    assert found["PAY_WINDOW"] == (30, ".env")
    assert found["HOST"] == ("0.0.0.0", ".env")  # noqa: S104 -- what the file says
    assert found["TIME_ZONE"] == ("UTC", "environment")
    assert found["LOG_LEVEL"] == ("info", "default")
    assert found["RPC_HOST"] == ("127.0.0.1", "default")


def test_what_is_in_effect_is_shown_rather_than_what_is_empty(shell: Shell) -> None:
    shell.set(data_dir="elsewhere", travel_rpc_port="3")
    assert shown(shell, "database_url")["value"] == "sqlite+aiosqlite:///elsewhere/homestay.sqlite3"
    assert shown(shell, "travel_addr")["value"] == "127.0.0.1:3"
    assert (shown(shell, "graphiql")["value"], shown(shell, "log_format")["value"]) == (True, "console")
    shell.set(env="Production")
    assert (shown(shell, "graphiql")["value"], shown(shell, "log_format")["value"]) == (False, "json")


def test_a_variable_that_is_none_of_ours_is_told_and_nothing_is_refused(shell: Shell) -> None:
    (shell.home / ".env").write_text("HOMESTAY_PAYWINDOW=3\n")
    shell.set(qqq="x")
    ended = shell.run("settings")
    assert (ended.code, ended.lines) == (
        0,
        [
            "HOMESTAY_PAYWINDOW: no such setting; did you mean HOMESTAY_PAY_WINDOW?",
            "HOMESTAY_QQQ: no such setting",
        ],
    )


@pytest.mark.parametrize("word", NASTY)
@pytest.mark.parametrize("wrong", [{}, {"port": WORD}, {"env": "production"}])
def test_no_secret_is_shown_whatever_else_is_wrong(shell: Shell, word: str, wrong: dict[str, str]) -> None:
    shell.set(
        database_url=f"mysql+aiomysql://user:{word}@db/n?ssl_key={WORD}",
        broker_url=f"rediss://user:{word}@redis/0?password={WORD}#{WORD}",
        jwt_secret=word * 8,
        jwt_jwks_url=f"https://{word}@a.example/keys?key={WORD}",
        notify_url=f"https://a.example/{WORD}/{word}?key={WORD}",
        notify_secret=word * 4,
        ops_token=word * 4,
    )
    shell.set(**wrong)
    for command in (["settings"], ["settings", "--json"], ["token", "--user", "x"], ["migrate", "--help"]):
        ended = shell.run(*command)
        assert WORD not in ended.out + ended.err


def test_a_key_that_everybody_knows_is_not_shown_either(shell: Shell) -> None:
    shell.set(jwt_secret=DEVELOPMENT_KEY)
    assert DEVELOPMENT_KEY not in shell.run("settings").out
    assert shown(shell, "jwt_secret")["value"] == MASK


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("mysql+aiomysql://user:word@db:3306/n", f"mysql+aiomysql://user:{MASK}@db:3306/n"),
        ("mysql+aiomysql://user@db/n?charset=utf8mb4&x=y", f"mysql+aiomysql://user@db/n?charset=utf8mb4&x={MASK}"),
        ("redis://redis:6379/0?broker=stock", "redis://redis:6379/0?broker=stock"),
        ("redis://:word@redis", f"redis://{MASK}:{MASK}@redis"),
        ("https://key@a.example/keys", f"https://{MASK}@a.example/keys"),
        ("sqlite+aiosqlite:///var/homestay.sqlite3", "sqlite+aiosqlite:///var/homestay.sqlite3"),
        ("", ""),
    ],
)
def test_a_url_is_shown_but_for_its_secrets(url: str, seen: str) -> None:
    assert masked(url) == seen


@given(st.text(min_size=1), st.sampled_from(["mysql+aiomysql", "redis", "amqps", "https"]))
def test_no_password_comes_through(word: str, scheme: str) -> None:
    marked = f"{WORD}{word}{WORD}"
    assert WORD not in masked(f"{scheme}://user:{marked}@host/name")
    assert WORD not in masked(f"{scheme}://host/name?key={WORD}&{WORD}")


def test_what_the_driver_takes_for_the_password_is_what_is_hidden() -> None:
    for word in NASTY:
        url = f"mysql+aiomysql://user:{word}@db/n"
        assert make_url(masked(url)).password == MASK
