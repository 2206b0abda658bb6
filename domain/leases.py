"""Leases: work that one process at a time does, whichever it is, when it is next due.

A row a job. Whoever moves its `due_at` on by one conditional UPDATE has the job until then; a holder that dies has only
delayed it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import Column, String, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import Field, SQLModel

from domain.clock import Clock, database_now
from domain.columns import MYSQL_TABLE, UTCDateTime, table_of
from domain.database import Database


class JobLease(SQLModel, table=True):
    """A periodic job as it is stored."""

    __tablename__: ClassVar[str] = "homestay_job"
    __table_args__ = (MYSQL_TABLE,)

    name: str = Field(sa_column=Column(String(64), primary_key=True))
    due_at: datetime = Field(sa_column=Column(UTCDateTime(milliseconds=True), nullable=False))
    holder: str = Field(default="", sa_column=Column(String(64), nullable=False, server_default=""))
    note: str = Field(
        default="",
        sa_column=Column(String(255), nullable=False, server_default=""),
        description="What the job wants to know when it runs next, e.g. how far it came.",
    )


_JOBS: Final = table_of(JobLease)


@dataclass(frozen=True, slots=True)
class Lease:
    """A job that is the holder's to do, until `until`."""

    name: str
    holder: str
    until: datetime
    note: str


class Leases:
    """The leases of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def take(self, name: str, holder: str, *, hold: timedelta) -> Lease | None:
        """Takes a job that is due, for `hold`. Returns None where it is not due, or somebody else's."""
        if await self._database.read(lambda connection: _due(connection, name, self._clock)) is False:
            return None

        async def work(connection: AsyncConnection) -> Lease | None:
            now = await database_now(connection, self._clock)
            until = now + hold
            taken = await connection.execute(
                update(_JOBS).where(_JOBS.c.name == name, _JOBS.c.due_at <= now).values(due_at=until, holder=holder)
            )
            if taken.rowcount == 0:
                known = await connection.execute(select(_JOBS.c.name).where(_JOBS.c.name == name))
                if known.one_or_none() is not None:
                    return None
                await connection.execute(insert(_JOBS).values(name=name, due_at=until, holder=holder))
            note = (await connection.execute(select(_JOBS.c.note).where(_JOBS.c.name == name))).scalar_one()
            return Lease(name, holder, until, note)

        try:
            return await self._database.write(work)
        except IntegrityError:
            return None  # somebody else was the first ever

    async def give_back(self, lease: Lease, *, due_in: timedelta, note: str | None = None) -> bool:
        """Ends a job: it is due again in `due_in`. Returns False where it was no longer the holder's.

        Args:
            lease: as it was taken.
            due_in: time until it is to be done again.
            note: what the next run is to know; None leaves the note as it is.
        """
        values: dict[str, Any] = {"due_at": self._clock.sql_now(ago=-due_in), "holder": ""}
        if note is not None:
            values["note"] = note
        statement = update(_JOBS).where(
            _JOBS.c.name == lease.name, _JOBS.c.holder == lease.holder, _JOBS.c.due_at == lease.until
        )
        given = await self._database.write(lambda connection: connection.execute(statement.values(**values)))
        return given.rowcount > 0


async def _due(connection: AsyncConnection, name: str, clock: Clock) -> bool | None:
    """Whether a job is due; None where it has no row yet."""
    statement = select(_JOBS.c.due_at <= clock.sql_now()).where(_JOBS.c.name == name)
    found = (await connection.execute(statement)).scalar_one_or_none()
    return None if found is None else bool(found)
