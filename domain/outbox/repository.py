"""Every SQL statement about letters. Nothing here commits, or knows the time: the caller hands it in."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Delete, Select, Update, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.outbox.models import MAX_ERROR, DeadLetter, Letter, LetterState, OutboxLetter

_LETTERS: Final = table_of(OutboxLetter)


async def add(
    connection: AsyncConnection, topic: str, letters: Mapping[str, Mapping[str, Any]], at: ColumnElement[Any]
) -> None:
    """Puts letters into the outbox, in the caller's transaction: they exist if, and only if, it commits.

    Args:
        connection: the transaction.
        topic: who is to be told what, e.g. `order.refund`.
        letters: payloads by subject, the number of what each is about.
        at: the present; from then on they are to be delivered.
    """
    if letters:
        await connection.execute(
            insert(_LETTERS).values(topic=topic, created_at=at, due_at=at),
            [{"subject": subject, "payload": dict(payload)} for subject, payload in letters.items()],
        )


def due_statement(topics: Collection[str], now: ColumnElement[Any], limit: int) -> Select[Any]:
    """The letters on these topics that are to be tried now, longest due first."""
    return (
        select(
            *(_LETTERS.c[name] for name in ("id", "topic", "subject", "payload", "created_at", "due_at", "attempts"))
        )
        .where(_LETTERS.c.state == LetterState.WAITING, _LETTERS.c.due_at <= now, _LETTERS.c.topic.in_(sorted(topics)))
        .order_by(_LETTERS.c.due_at)
        .limit(limit)
    )


async def due(
    connection: AsyncConnection, topics: Collection[str], now: ColumnElement[Any], limit: int
) -> list[Letter]:
    """The letters on these topics that are to be tried now, longest due first; not yet anybody's."""
    rows = await connection.execute(due_statement(topics, now, limit))
    return [Letter(**row._mapping) for row in rows]


async def claim(connection: AsyncConnection, letter: Letter, until: datetime) -> bool:
    """Takes a letter by one conditional UPDATE. Returns False where somebody else was faster.

    Args:
        connection: the transaction, of which this is the first statement.
        letter: as it was read.
        until: whole milliseconds; unless it is finished by then, it is anybody's again.
    """
    claimed = await connection.execute(_held(letter).values(due_at=until, attempts=letter.attempts + 1))
    return claimed.rowcount > 0


async def finish(connection: AsyncConnection, letter: Letter, *, state: LetterState, at: Any, error: str = "") -> bool:  # noqa: ANN401 -- an instant, or SQL for one
    """Says what became of a letter that the caller holds. Returns False where it is the caller's no more.

    Args:
        connection: the transaction.
        letter: as it was claimed.
        state: WAITING to try it again.
        at: when it ended, or when it is to be tried again.
        error: why.
    """
    finished = await connection.execute(_held(letter).values(state=state, due_at=at, error=error[:MAX_ERROR]))
    return finished.rowcount > 0


def _held(letter: Letter) -> Update:
    """The letter as its holder knows it: whoever takes it changes `due_at`, and so breaks the older claim."""
    return update(_LETTERS).where(
        _LETTERS.c.id == letter.id, _LETTERS.c.state == LetterState.WAITING, _LETTERS.c.due_at == letter.due_at
    )


async def dead(connection: AsyncConnection, limit: int) -> list[DeadLetter]:
    """The dead letters, the oldest first."""
    names = ("id", "topic", "subject", "payload", "created_at", "attempts", "error")
    statement = (
        select(*(_LETTERS.c[name] for name in names), _LETTERS.c.due_at.label("died_at"))
        .where(_LETTERS.c.state == LetterState.DEAD)
        .order_by(_LETTERS.c.id)
        .limit(limit)
    )
    return [DeadLetter(**row._mapping) for row in await connection.execute(statement)]


async def revive(connection: AsyncConnection, ids: Sequence[int] | None, now: ColumnElement[Any]) -> int:
    """Has dead letters tried again from now on, as if they were new: these, or all. Returns how many."""
    statement: Update = update(_LETTERS).where(_LETTERS.c.state == LetterState.DEAD)
    if ids is not None:
        statement = statement.where(_LETTERS.c.id.in_(ids))
    revived = await connection.execute(
        statement.values(state=LetterState.WAITING, due_at=now, created_at=now, attempts=0, error="")
    )
    return revived.rowcount


async def drop(connection: AsyncConnection, ids: Sequence[int] | None) -> int:
    """Throws dead letters away: these, or all. Returns how many."""
    statement: Delete = delete(_LETTERS).where(_LETTERS.c.state == LetterState.DEAD)
    if ids is not None:
        statement = statement.where(_LETTERS.c.id.in_(ids))
    return (await connection.execute(statement)).rowcount


async def purge(connection: AsyncConnection, until: ColumnElement[Any], limit: int) -> int:
    """Forgets letters that were delivered before `until`, at most `limit` of them. Returns how many."""
    ids = (
        select(_LETTERS.c.id)
        .where(_LETTERS.c.state == LetterState.DELIVERED, _LETTERS.c.due_at <= until)
        .order_by(_LETTERS.c.due_at)
        .limit(limit)
    )
    found = (await connection.execute(ids)).scalars().all()
    if not found:
        return 0
    return (await connection.execute(delete(_LETTERS).where(_LETTERS.c.id.in_(found)))).rowcount


async def counts(connection: AsyncConnection) -> dict[LetterState, int]:
    """How many letters wait, and how many are dead."""
    statement = (
        select(_LETTERS.c.state, func.count())
        .where(_LETTERS.c.state.in_([LetterState.WAITING, LetterState.DEAD]))
        .group_by(_LETTERS.c.state)
    )
    found = {state: int(number) for state, number in await connection.execute(statement)}
    return {state: found.get(state, 0) for state in (LetterState.WAITING, LetterState.DEAD)}
