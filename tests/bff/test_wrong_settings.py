"""Each variable is given values that can't be used: it is named in one line, the value is not, and nothing is done."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from bff.cli.terminal import CAN_NOT
from tests.bff.shell import Shell
from tests.system.installation import Installation
from workers.settings import PREFIX, Variables

# Free text: whatever it is, a token says it or does not.
ANYTHING: Final = {"jwt_issuer", "jwt_audience"}
HOSTS: Final = ["http://a.example", "127.0.0.1:8000", "a b", "/run/socket", "::1::"]
ADDRESSES: Final = ["travel", "travel:", ":2003", "travel:0", "travel:70000", "http://travel:2003", "a b:1", "a:1:2"]
# What the types alone do not tell.
WRONG: Final = {
    "host": HOSTS,
    "rpc_host": HOSTS,
    "watch_host": HOSTS,
    "data_dir": ["/dev/null", "a\u0301" * 300],
    "database_url": [
        "postgresql://x",
        "nonsense",
        "mysql+aiomysql://u:w@db",
        "mysql+aiomysql://u:w@db:x/n",
        "mysql://db/n",
    ],
    "broker_url": ["kafka://x", "redis:6379", "redis://redis:port/0", "redis"],
    "travel_addr": ADDRESSES,
    "payment_addr": ADDRESSES,
    "jwt_secret": ["31 bytes, and so a byte too few."[:31]],
    "jwt_jwks_url": ["sign-in.example.org", "file:///etc/keys", "https://", "https://a.example:x/", "https://[::1"],
    "cors_origins": ["a.example", "https://a.example/", "https://A.example", "null"],
    "time_zone": ["Asia/Atlantis", "../etc/passwd", "+08:00"],
    "notify_url": ["ftp://a.example", "a.example/hook", "https://a.example:0"],
    "notify_secret": ["whsec_not base 64", "whsec_"],
    "trusted_documents": ["nowhere.json", "."],
    "ops_token": ["15 characters.."],
}


def wrong_values(name: str) -> list[str]:
    """Values that a variable can't have: by its type, and what only we know."""
    told: dict[str, Any] = Variables.model_json_schema()["properties"][name]
    kinds = [told, *told.get("anyOf", ())]
    found = list(WRONG.get(name, ()))
    for kind in kinds:
        if kind.get("type") in {"integer", "number"}:
            found += ["many", "1,5", "nan", "inf"]
            found += [str(kind["minimum"] - 1)] if "minimum" in kind else []
            found += [str(kind["exclusiveMinimum"])] if "exclusiveMinimum" in kind else []
            found += [str(kind["maximum"] + 1)]
        if kind.get("type") == "boolean":
            found += ["perhaps", "2"]
        if "enum" in kind:
            found += ["nonsense"]
    return found


CASES: Final = [
    (name, value) for name in Variables.model_fields if name not in ANYTHING for value in wrong_values(name)
]


def test_there_is_a_wrong_value_of_each() -> None:
    assert {name for name, _ in CASES} == set(Variables.model_fields) - ANYTHING
    assert len(CASES) > 100


@pytest.mark.parametrize(("name", "value"), CASES)
def test_it_is_named_in_one_line_and_nothing_is_done(shell: Shell, name: str, value: str) -> None:
    shell.set(**{name: value})
    # A manifest is read where documents are run.
    commands = [["settings"], ["settings", "--json"]] + (
        [["token", "--user", "7"]] if name != "trusted_documents" else []
    )
    for command in commands:
        ended = shell.run(*command)
        assert (ended.code, len(ended.lines)) == (CAN_NOT, 1), ended
        assert ended.err.startswith(f"{PREFIX}{name.upper()}: ")
        assert "Traceback" not in ended.err
        if len(value) > 8 and name != "trusted_documents":
            assert value not in ended.err + ended.out
    assert ended.out == "" or name == "trusted_documents"


def test_several_are_named_at_once(shell: Shell) -> None:
    shell.set(port="x", ops_token="short", travel_addr="y")
    ended = shell.run("migrate")
    assert [line.partition(":")[0] for line in ended.lines] == [
        f"{PREFIX}PORT",
        f"{PREFIX}TRAVEL_ADDR",
        f"{PREFIX}OPS_TOKEN",
    ]
    assert not list(shell.home.iterdir())


def test_a_migration_needs_the_database_alone(shell: Shell) -> None:
    shell.set(env="production", database_url="sqlite+aiosqlite:///orders.sqlite3", notify_url="https://push.internal")
    assert shell.run("migrate", "--json").code == 0
    assert [path.name for path in shell.home.iterdir()] == ["orders.sqlite3"]


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (["bff"], ["JWT_SECRET", "BROKER_URL", "TRAVEL_ADDR", "PAYMENT_ADDR"]),
        (["token", "--user", "7"], ["JWT_SECRET", "BROKER_URL", "TRAVEL_ADDR", "PAYMENT_ADDR"]),
        (["worker"], ["NOTIFY_SECRET", "BROKER_URL", "TRAVEL_ADDR", "PAYMENT_ADDR"]),
        (["sweep", "--once"], ["NOTIFY_SECRET", "BROKER_URL", "TRAVEL_ADDR", "PAYMENT_ADDR"]),
        (["settlements", "--month", "2026-10"], ["BROKER_URL", "TRAVEL_ADDR", "PAYMENT_ADDR"]),
        (["run"], ["NOTIFY_SECRET", "JWT_SECRET", "BROKER_URL", "TRAVEL_ADDR", "PAYMENT_ADDR"]),
    ],
)
def test_a_program_asks_for_what_it_uses(shell: Shell, command: list[str], missing: list[str]) -> None:
    shell.set(env="production", database_url="mysql+aiomysql://u:w@db/n", notify_url="https://push.internal")
    ended = shell.run(*command)
    assert (ended.code, [line.partition(":")[0].removeprefix(PREFIX) for line in ended.lines]) == (CAN_NOT, missing)


def test_a_file_that_nobody_can_read_is_named(shell: Shell) -> None:
    (shell.home / ".env").write_bytes(b"HOMESTAY_PORT=\xff\xfe\n")
    for command in (["settings"], ["token", "--user", "7"]):
        ended = shell.run(*command)
        assert (ended.code, ended.lines) == (CAN_NOT, [".env: expected text in UTF-8"])


def test_a_program_says_so_too(tmp_path: Path) -> None:
    told = {}
    for value in ("nowhere.json", ""):
        with Installation(tmp_path, HOMESTAY_TRUSTED_DOCUMENTS=value, HOMESTAY_PORT="" if value else "x") as at:
            ended = at.command("bff")
        told[value] = (ended.returncode, len(ended.stderr.splitlines()), ended.stderr.partition(":")[0])
    assert told == {
        "nowhere.json": (CAN_NOT, 1, "HOMESTAY_TRUSTED_DOCUMENTS"),
        "": (CAN_NOT, 1, "HOMESTAY_PORT"),
    }


def test_machines_are_told_in_the_same_words(shell: Shell) -> None:
    shell.set(env="production", port="8001")
    ended = shell.run("settings", "--json")
    told = json.loads(ended.out)
    assert [f"{each['variable']}: {each['message']}" for each in told["problems"]] == ended.lines
    assert {each["variable"] for each in told["problems"]} == {
        f"{PREFIX}{name}" for name in ("JWT_SECRET", "DATABASE_URL", "BROKER_URL", "TRAVEL_ADDR", "PAYMENT_ADDR")
    }
    port = next(each for each in told["settings"] if each["variable"] == f"{PREFIX}PORT")
    assert (port["value"], port["source"], port["wrong"]) == (8001, "environment", False)
