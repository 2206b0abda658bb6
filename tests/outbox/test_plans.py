"""How the databases would find letters: along the index, however many have arrived before."""

from datetime import timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa

from domain.columns import utc_now
from domain.database import Database
from domain.outbox import LetterState
from domain.outbox.repository import due_statement
from tests.conftest import NOW
from tests.outbox.letters import LETTERS, OTHER, TOPIC
from tests.plans import plan

ROWS: Final = 5000
# Almost all letters have arrived.
STATES: Final = [LetterState.WAITING, LetterState.DEAD, *[LetterState.DELIVERED] * 48]


@pytest.fixture
async def full(database: Database) -> Database:
    rows: list[dict[str, Any]] = [
        {
            "topic": (TOPIC, OTHER)[number % 2],
            "subject": f"HSO{number}",
            "payload": {},
            "state": STATES[number // 2 % len(STATES)],
            "created_at": NOW,
            "due_at": NOW + timedelta(seconds=number),
        }
        for number in range(ROWS)
    ]
    await database.write(lambda connection: connection.execute(sa.insert(LETTERS), rows))
    refresh = "analyze" if database.engine.dialect.name == "sqlite" else "analyze table homestay_outbox"
    await database.write(lambda connection: connection.execute(sa.text(refresh)))
    return database


@pytest.mark.parametrize("topics", [[TOPIC], [TOPIC, OTHER]])
async def test_due_letters_are_found_along_their_index_and_not_sorted(full: Database, topics: list[str]) -> None:
    assert await plan(full, due_statement(topics, utc_now(), 50)) == ({"ix_homestay_outbox_due"}, "")
