"""Every SQL statement about letters. Nothing here commits, or knows the time: the caller hands it in."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Delete, Row, Select, Update, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import tracing
from domain.columns import table_of
from domain.outbox.models import (
    MAX_ERROR,
    MOST_COUNTED,
    DeadLetter,
    Letter,
    LetterState,
    OutboxLetter,
    Overview,
    Waiting,
)

_LETTERS: Final = table_of(OutboxLetter)
# A member of the stored payload that is none of the letter's: put in and taken out here, and never delivered. Only
# where traces are kept; a relay of an older version delivers it along, which no receiver minds.
_TRACEPARENT: Final = "$traceparent"


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
        # One statement: given as many, the driver would send each alone, since their VALUES hold a function.
        step = tracing.traceparent()
        told = {_TRACEPARENT: step} if step else {}
        values = [
            {"topic": topic, "subject": subject, "payload": {**payload, **told}, "created_at": at, "due_at": at}
            for subject, payload in letters.items()
        ]
        await connection.execute(insert(_LETTERS).values(values))


def due_statement(topics: Collection[str], now: ColumnElement[Any], limit: int) -> Select[Any]:
    """The statement of `claim`, so that a test can ask the database how it would run it."""
    return (
        select(
            *(_LETTERS.c[name] for name in ("id", "topic", "subject", "payload", "created_at", "due_at", "attempts"))
        )
        .where(_LETTERS.c.state == LetterState.WAITING, _LETTERS.c.due_at <= now, _LETTERS.c.topic.in_(sorted(topics)))
        .order_by(_LETTERS.c.due_at)
        .limit(limit)
    )


async def are_due(connection: AsyncConnection, topics: Collection[str], now: ColumnElement[Any]) -> bool:
    """Whether there is a letter on these topics to be tried now."""
    return (await connection.execute(due_statement(topics, now, limit=1))).first() is not None


async def claim(
    connection: AsyncConnection, topics: Collection[str], now: ColumnElement[Any], limit: int, until: datetime
) -> list[Letter]:
    """Takes letters on these topics that are to be tried now, longest due first, and returns them.

    Two that claim at once take turns over the rows, and each gets letters of its own: SQLite by the transaction, the
    others by the lock that the reading sets.

    Args:
        connection: the transaction.
        topics: the topics.
        now: the present.
        limit: letters wanted.
        until: whole milliseconds; what is not finished by then is anybody's again.
    """
    rows = await connection.execute(due_statement(topics, now, limit).with_for_update())
    letters = [Letter(**_opened(row)) for row in rows]
    if letters:
        ids = [letter.id for letter in letters]
        await connection.execute(
            update(_LETTERS).where(_LETTERS.c.id.in_(ids)).values(due_at=until, attempts=_LETTERS.c.attempts + 1)
        )
    return [letter.held_until(until) for letter in letters]


async def finish(
    connection: AsyncConnection,
    letters: Sequence[Letter],
    *,
    state: LetterState,
    at: ColumnElement[Any],
    error: str = "",
) -> int:
    """Says what became of letters that the caller holds. Returns how many of them were still the caller's.

    Args:
        connection: the transaction.
        letters: as they were claimed.
        state: WAITING to try them again.
        at: when that ended, or when they are to be tried again.
        error: why.
    """
    claims: dict[datetime, list[int]] = {}
    for letter in letters:
        claims.setdefault(letter.due_at, []).append(letter.id)
    # As their holder knows them: whoever takes a letter changes `due_at`, and so ends the older claim.
    held = or_(*(and_(_LETTERS.c.id.in_(ids), _LETTERS.c.due_at == until) for until, ids in claims.items()))
    finished = await connection.execute(
        update(_LETTERS)
        .where(_LETTERS.c.state == LetterState.WAITING, held)
        .values(state=state, due_at=at, error=error[:MAX_ERROR])
    )
    return finished.rowcount


async def dead(connection: AsyncConnection, limit: int) -> list[DeadLetter]:
    """The dead letters, the oldest first."""
    return await _dead(connection, _dead_letters().order_by(_LETTERS.c.id).limit(limit))


def latest_dead_statement(limit: int) -> Select[Any]:
    """The letters that died last, so that a test can ask the database how it would find them."""
    return _dead_letters().order_by(_LETTERS.c.due_at.desc()).limit(limit)


def counted_statement(state: LetterState) -> Select[Any]:
    """The letters in a state that an overview counts, likewise."""
    columns = (_LETTERS.c[name] for name in ("topic", "created_at", "attempts"))
    return select(*columns).where(_LETTERS.c.state == state).order_by(_LETTERS.c.due_at).limit(MOST_COUNTED)


async def overview(connection: AsyncConnection, limit: int) -> Overview:
    """What there is to see; of the dead, the `limit` that died last."""
    letters = counted_statement(LetterState.WAITING).subquery()
    put_off = func.sum(case((letters.c.attempts > 0, 1), else_=0))
    columns: list[ColumnElement[Any]] = [letters.c.topic, func.count(), put_off, func.min(letters.c.created_at)]
    waiting = await connection.execute(select(*columns).group_by(letters.c.topic).order_by(letters.c.topic))
    dead = counted_statement(LetterState.DEAD).subquery()
    return Overview(
        waiting=[
            Waiting(topic=topic, count=int(count), put_off=int(tried), oldest=oldest)
            for topic, count, tried, oldest in waiting
        ],
        dead=await _dead(connection, latest_dead_statement(limit)),
        dead_count=int((await connection.execute(select(func.count()).select_from(dead))).scalar_one()),
    )


def _dead_letters() -> Select[Any]:
    names = ("id", "topic", "subject", "payload", "created_at", "attempts", "error")
    columns = (_LETTERS.c[name] for name in names)
    return select(*columns, _LETTERS.c.due_at.label("died_at")).where(_LETTERS.c.state == LetterState.DEAD)


async def _dead(connection: AsyncConnection, statement: Select[Any]) -> list[DeadLetter]:
    found = [_opened(row) for row in await connection.execute(statement)]
    return [DeadLetter(**{name: value for name, value in row.items() if name != "traceparent"}) for row in found]


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


def _opened(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    payload = dict(row.payload)
    return {**row._mapping, "traceparent": payload.pop(_TRACEPARENT, ""), "payload": payload}
