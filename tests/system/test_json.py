"""What commands tell machines has the shape that docs/command-line.md shows: the same members, of the same kinds."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.servers import Redis
from tests.system.installation import ROOT, Installation
from tests.system.test_dead_messages import bury

PAGE: Final = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
SHOWN: Final = {
    name: json.loads(text) for name, text in re.findall(r"<!-- json: ([a-z-]+) -->\n```json\n(.*?)```", PAGE, re.DOTALL)
}


def shape(value: Any) -> Any:
    """What a value is made of, without what it says; instants and days are kinds of text."""
    match value:
        case dict():
            return {name: shape(each) for name, each in value.items()}
        case list():
            return [shape(value[0])] if value else []
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00", value):
            return "instant"
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return "day"
    return type(value).__name__


def same_shape(name: str, said: str) -> Any:
    """What was said, once it is seen to be of the shape that is shown; on one line."""
    assert len(said.splitlines()) == 1
    told = json.loads(said)
    assert shape(told) == shape(SHOWN[name])
    return told


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path) as installation:
        yield installation


def test_an_order_is_paid_and_its_money_returned(installation: Installation) -> None:
    installation.start("run")
    token = same_shape("token", installation.command("token", "--user", "7", "--json").stdout)["token"]
    sn = installation.place(token)["sn"]
    paid = same_shape("pay", installation.command("pay", sn, "--json").stdout)
    assert (paid["sn"], paid["trade_state"]) == (sn, "WAIT_USE")
    again = installation.command("pay", sn, "--json")
    assert (again.returncode, again.stdout, len(again.stderr.splitlines())) == (1, "", 1)
    returned = same_shape("pay", installation.command("refund", sn, "--json").stdout)
    assert returned == {**paid, "trade_state": "REFUNDED"}


def test_what_the_tables_hold_is_told(installation: Installation, tmp_path: Path) -> None:
    assert installation.command("migrate").returncode == 0
    database = sqlite3.connect(tmp_path / "homestay.sqlite3")
    with database:
        database.executemany(
            "insert into homestay_order (sn, homestay_id, people_num, live_people_num, live_start_date, live_end_date,"
            " trade_state) values (?, 1, 4, 2, '2999-05-01', '2999-05-03', 1)",
            [("HSO1",), ("HSO2",)],
        )
        database.execute(
            "insert into homestay_outbox (topic, subject, payload, state, created_at, due_at, attempts, error) values"
            " ('order.refund', 'PMT1', '{\"orderSn\": \"HSO1\"}', 2, '2026-11-24 03:20:11.024000',"
            " '2026-11-25 03:20:13.500000', 10, 'no')"
        )
        database.execute(
            "insert into homestay_settlement values ('2026-10-01', 11, 3, 8, 239205, 1200, 240405,"
            " '2026-11-01 00:05:00.000000')"
        )
    database.close()
    migrated = same_shape("migrate", installation.command("migrate", "--json").stdout)
    assert (migrated["adopted"], [each["sn"] for each in migrated["conflicts"]]) == (1, ["HSO2"])
    same_shape("sweep", installation.command("sweep", "--once", "--json").stdout)
    same_shape("settlements", installation.command("settlements", "--month", "2026-10", "--json").stdout)
    same_shape("dead-letters-list", installation.command("dead-letters", "list", "--json").stdout)
    retried = installation.command("dead-letters", "retry", "1", "2", "--json")
    assert (retried.returncode, same_shape("retry", retried.stdout)) == (1, {"done": 1, "unknown": ["2"]})


def test_messages_that_died_are_told(tmp_path: Path, redis: Redis) -> None:
    bury(redis.url, "HSO1")
    with Installation(tmp_path, HOMESTAY_BROKER_URL=redis.url) as installation:
        (dead,) = same_shape("messages-list", installation.command("dead-letters", "messages", "list", "--json").stdout)
        dropped = installation.command("dead-letters", "messages", "drop", dead["id"], "18", "--json")
    redis.wipe()
    assert (dropped.returncode, same_shape("retry", dropped.stdout)) == (1, {"done": 1, "unknown": ["18"]})


def test_settings_are_told(installation: Installation) -> None:
    installation.environment |= {"HOMESTAY_PAY_WINDOW": "0", "HOMESTAY_PAYWINDOW": "3", "HOMESTAY_PORT": "8000"}
    said = installation.command("settings", "--json")
    told = json.loads(said.stdout)
    shown = SHOWN["settings"]
    assert (said.returncode, told["problems"], told["unknown"]) == (2, shown["problems"], shown["unknown"])
    assert {name: [type(each) for each in told[name]] for name in told} == {
        name: [dict] * len(told[name]) for name in shown
    }
    port = next(each for each in told["settings"] if each["variable"] == "HOMESTAY_PORT")
    assert port == shown["settings"][0] | {"source": "environment"}
