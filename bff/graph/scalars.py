"""The scalars of the contract, strict both ways: what is not exactly right is refused with a sentence."""

import contextlib
import re
from datetime import UTC, date, datetime
from typing import Any, Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)

# The largest integer that every JSON reader keeps exactly (RFC 8259, section 6).
_MAX_EXACT: Final = 2**53 - 1
_MAX_INT64: Final = 2**63 - 1
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
# Numbers up to those of minutes, in two digits.
_TWO: Final = tuple(f"{number:02}" for number in range(60))
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")


def _parse_date(value: object) -> date:
    # date.fromisoformat alone also takes 20260101 and 2026-W01-1.
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("A Date is written YYYY-MM-DD.")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("There is no such date.") from None


def _parse_instant(value: object) -> datetime:
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.fromisoformat(value).astimezone(UTC)
    raise ValueError("A DateTime is written as RFC 3339 with its offset, e.g. 2026-05-01T12:00:00Z.")


def _write_instant(value: datetime) -> str:
    # Ours are UTC already, and a page has many.
    at = value if value.tzinfo is UTC else value.astimezone(UTC)
    # Put together of texts that are there already; `isoformat` works out the offset, and takes twice as long.
    seconds = f"{at.year:04}-{_TWO[at.month]}-{_TWO[at.day]}T{_TWO[at.hour]}:{_TWO[at.minute]}:{_TWO[at.second]}"
    return f"{seconds}.{at.microsecond // 1000:03}Z" if at.microsecond else f"{seconds}Z"


def _parse_integer(value: object) -> int:
    number: int | None = None
    # A JSON number such as 1e3 arrives as a float. True is an int to Python, but not to GraphQL.
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = int(value) if abs(value) <= _MAX_INT64 + 1 and value == int(value) else None
    elif isinstance(value, str) and _INTEGER.fullmatch(value):
        number = int(value)
    if number is None or not -_MAX_INT64 - 1 <= number <= _MAX_INT64:
        raise ValueError("A BigInt is a signed 64-bit integer, as a number or a string.")
    return number


def write_integer(value: int) -> int:
    """A BigInt as it stands in an answer.

    Raises:
        ValueError: a client would round it.
    """
    if abs(value) > _MAX_EXACT:
        raise ValueError("a BigInt above 2^53-1 would be rounded by the client")
    return value


SCALARS: Final[dict[Any, ScalarDefinition]] = {
    date: strawberry.scalar(
        name="Date",
        description="Calendar date, ISO 8601 `YYYY-MM-DD`, in the homestay's own time zone. No time, no offset.",
        serialize=date.isoformat,
        parse_value=_parse_date,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="Instant, RFC 3339 with offset; the server always answers in UTC (`Z`).",
        serialize=_write_instant,
        parse_value=_parse_instant,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="Signed 64-bit integer, as a JSON number up to 2^53-1 and accepted as number or string.",
        serialize=write_integer,
        parse_value=_parse_integer,
    ),
}
