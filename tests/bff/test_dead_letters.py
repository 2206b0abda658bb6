"""What people do about letters that could not be delivered, from the command line."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest

from domain import outbox
from domain.database import Database
from domain.engine import create_engine
from domain.outbox import LetterState, Outbox
from tests.bff.terminal import Terminal
from workers import migration
from workers.clock import SystemClock

CLOCK: Final = SystemClock()
BROKEN: Final = "it said no,\ntwice"


def on(url: str, work: Callable[[Database], Coroutine[Any, Any, Any]]) -> Any:
    """Does something with the database of an installation."""

    async def opened() -> Any:
        database = Database(create_engine(url))
        await migration.upgrade(database)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(opened())


async def bury_three_of_four(database: Database) -> None:
    """Four letters with the ids 1 to 4, of which the last one still waits."""
    letters = {f"PMT{number}": {"orderSn": f"HSO{number}", "note": "晚到的钱"} for number in range(1, 5)}
    await database.write(lambda connection: outbox.add(connection, "order.refund", letters, CLOCK.sql_now()))
    post = Outbox(database, CLOCK)
    taken = await post.take(["order.refund"], 10)
    for letter in sorted(taken, key=lambda letter: letter.id)[:3]:
        await post.bury(letter, error=BROKEN)


async def standing(database: Database) -> tuple[list[int], int]:
    """The ids of the dead, and how many wait."""
    post = Outbox(database, CLOCK)
    return [letter.id for letter in await post.dead()], (await post.counts())[LetterState.WAITING]


def test_where_nothing_is_dead_that_is_said(terminal: Terminal) -> None:
    listed = terminal.run("dead-letters", "list")
    assert (listed.exit_code, listed.stdout) == (0, "no dead letters\n")
    assert json.loads(terminal.run("dead-letters", "list", "--json").stdout) == {"total": 0, "letters": []}
    dropped = terminal.run("dead-letters", "drop", "--all")
    assert (dropped.exit_code, dropped.stdout) == (0, "no dead letters dropped\n")


def test_the_dead_are_listed_for_people_and_for_machines(terminal: Terminal) -> None:
    on(terminal.database_url, bury_three_of_four)
    listed = terminal.run("dead-letters", "list")
    heading, *rows, total = listed.stdout.splitlines()
    assert (listed.exit_code, total) == (0, "3 dead letters")
    assert heading.split() == ["ID", "TOPIC", "ABOUT", "TRIES", "DIED", "ERROR"]
    assert [row.split()[:4] for row in rows] == [[f"{id_}", "order.refund", f"PMT{id_}", "1"] for id_ in (1, 2, 3)]
    assert all(row.endswith("it said no, twice") for row in rows)

    told = json.loads(terminal.run("dead-letters", "list", "--json").stdout)
    assert (told["total"], [letter["id"] for letter in told["letters"]]) == (3, [1, 2, 3])
    assert told["letters"][0]["payload"] == {"orderSn": "HSO1", "note": "晚到的钱"}
    assert (told["letters"][0]["error"], told["letters"][0]["attempts"]) == (BROKEN, 1)


def test_some_are_tried_again_some_dropped_and_the_rest_together(terminal: Terminal) -> None:
    on(terminal.database_url, bury_three_of_four)
    retried = terminal.run("dead-letters", "retry", "2")
    assert (retried.exit_code, retried.stdout) == (0, "1 dead letter will be tried again\n")
    assert on(terminal.database_url, standing) == ([1, 3], 2)
    dropped = terminal.run("dead-letters", "drop", "1")
    assert (dropped.exit_code, dropped.stdout) == (0, "1 dead letter dropped\n")
    assert on(terminal.database_url, standing) == ([3], 2)
    assert terminal.run("dead-letters", "retry", "--all").exit_code == 0
    assert on(terminal.database_url, standing) == ([], 3)


def test_an_id_that_is_not_dead_is_named_and_the_others_are_done(terminal: Terminal) -> None:
    on(terminal.database_url, bury_three_of_four)
    for verb in ("retry", "drop"):
        done = terminal.run("dead-letters", verb, "4", "99", "one", "9" * 30, "²", "1" if verb == "retry" else "2")
        assert done.exit_code == 1
        assert done.stdout.startswith("1 dead letter ")
        assert done.stderr == f"not dead, or not there: 4, 99, one, {'9' * 30}, ²\n"
    assert on(terminal.database_url, standing) == ([3], 2)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whoever_does_not_say_which_is_asked_and_nothing_is_done(terminal: Terminal) -> None:
    on(terminal.database_url, bury_three_of_four)
    for verb in ("retry", "drop"):
        for which in ([], ["1", "--all"]):
            refused = terminal.run("dead-letters", verb, *which)
            assert (refused.exit_code, refused.stderr) == (2, "say which: ids, or --all\n")
    assert on(terminal.database_url, standing) == ([1, 2, 3], 1)
