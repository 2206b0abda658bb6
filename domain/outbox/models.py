"""The table of letters."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, Final, Self

from sqlalchemy import JSON, Column, Index, Integer, String
from sqlmodel import Field, SQLModel

from domain.columns import BIG_ID, MYSQL_TABLE, IntEnumColumn, UTCDateTime

# In characters.
MAX_TOPIC: Final = 64
MAX_SUBJECT: Final = 64
MAX_ERROR: Final = 255
# Letters that an overview counts.
MOST_COUNTED: Final = 20_000


class LetterState(IntEnum):
    """How a letter stands; the numbers are those of the table."""

    WAITING = 0
    DELIVERED = 1
    DEAD = 2


class OutboxLetter(SQLModel, table=True):
    """A letter as it is stored."""

    __tablename__: ClassVar[str] = "homestay_outbox"
    __table_args__ = (Index("ix_homestay_outbox_due", "state", "due_at"), MYSQL_TABLE)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    topic: str = Field(sa_column=Column(String(MAX_TOPIC), nullable=False), description="Who is to be told what.")
    subject: str = Field(
        sa_column=Column(String(MAX_SUBJECT), nullable=False), description="The number of what it is about, for people."
    )
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: LetterState = Field(sa_column=Column(IntEnumColumn(LetterState), nullable=False, server_default="0"))
    created_at: datetime = Field(sa_column=Column(UTCDateTime(milliseconds=True), nullable=False))
    due_at: datetime = Field(
        sa_column=Column(UTCDateTime(milliseconds=True), nullable=False),
        description="When it is tried next; of one that waits no more, when that ended.",
    )
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    error: str = Field(default="", sa_column=Column(String(MAX_ERROR), nullable=False, server_default=""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter that its holder is to deliver now.

    Attributes:
        due_at: until when it is the holder's: a holder that is slower, or dead, has lost it to others.
        attempts: how often it was tried, this time included.
        traceparent: the step in which it was written; empty where nobody kept traces.
    """

    id: int
    topic: str
    subject: str
    payload: dict[str, Any]
    created_at: datetime
    due_at: datetime
    attempts: int
    traceparent: str = ""

    def held_until(self, instant: datetime) -> Self:
        """The same as its next holder knows it."""
        return replace(self, due_at=instant, attempts=self.attempts + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A letter that nobody will deliver unless somebody mends what kept it."""

    id: int
    topic: str
    subject: str
    payload: dict[str, Any]
    created_at: datetime
    died_at: datetime
    attempts: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The letters on one topic that are not delivered yet.

    Attributes:
        count: how many.
        put_off: how many of them were tried before.
        oldest: when the oldest was written.
    """

    topic: str
    count: int
    put_off: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What there is to see of letters at one moment.

    Attributes:
        waiting: by topic.
        dead: those that died last, the latest first.
        dead_count: how many are dead, `MOST_COUNTED` at most, as of those that wait.
    """

    waiting: list[Waiting]
    dead: list[DeadLetter]
    dead_count: int
