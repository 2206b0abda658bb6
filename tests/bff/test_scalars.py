"""The scalars as a client meets them: each takes one form, and gives one form."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

import pytest
from graphql import GraphQLError, GraphQLScalarType, parse_value, value_from_ast
from hypothesis import given
from hypothesis import strategies as st

from bff.graph import schema

SCHEMA: Final = schema.build(introspection=True)._schema


def scalar(name: str) -> GraphQLScalarType:
    found = SCHEMA.get_type(name)
    assert isinstance(found, GraphQLScalarType)
    return found


DATE: Final = scalar("Date")
INSTANT: Final = scalar("DateTime")
BIG_INT: Final = scalar("BigInt")

NO_DATES: Final = [
    "20260101",
    "2026-W01-1",
    "2026W011",
    "2026-001",
    "2026-02-30",
    "2026-13-01",
    "2026-00-10",
    "0000-01-01",
    "2026-1-1",
    "26-01-01",
    "2026/01/01",
    "02026-01-01",
    "-2026-01-01",
    "\N{FULLWIDTH DIGIT TWO}026-01-01",
    "2026-01-0\N{ARABIC-INDIC DIGIT ONE}",
    "2026-01-01T00:00:00Z",
    "2026-01-01Z",
    " 2026-01-01",
    "2026-01-01\n",
    "",
    "today",
    20260101,
    1767225600,
    1.5,
    True,
    ["2026-01-01"],
    {"year": 2026},
]

NO_INSTANTS: Final = [
    "2026-05-01",
    "2026-05-01T12:00:00",
    "20260501T120000Z",
    "2026-W18-5T12:00:00Z",
    "2026-05-01T12Z",
    "2026-05-01T12:00:00+0800",
    "2026-05-01T12:00:00,5Z",
    "2026-02-30T12:00:00Z",
    "2026-05-01T24:00:01Z",
    "2026-05-01T12:00:00+24:00",
    "0001-01-01T00:00:00+08:00",
    "9999-12-31T23:59:59-08:00",
    "\N{FULLWIDTH DIGIT TWO}026-05-01T12:00:00Z",
    "T",
    "",
    "now",
    1767225600,
    1.5,
    True,
    [],
]

NO_INTEGERS: Final = [
    2**63,
    -(2**63) - 1,
    10**400,
    2.0**63,
    1.5,
    float("nan"),
    float("inf"),
    True,
    False,
    "",
    "1.0",
    "1e3",
    "+1",
    " 1",
    "1_000",
    "0x10",
    "--1",
    str(2**63),
    "1" * 5_000,
    "\N{FULLWIDTH DIGIT ONE}",
    "\N{ARABIC-INDIC DIGIT THREE}",
    b"1",
    [1],
    {},
]


@pytest.mark.parametrize("value", NO_DATES, ids=ascii)
def test_a_date_is_written_in_one_way_only(value: object) -> None:
    with pytest.raises((ValueError, GraphQLError)) as refused:
        DATE.parse_value(value)
    assert str(refused.value)


@given(st.dates())
def test_every_date_of_the_calendar_is_taken_and_given_back(day: date) -> None:
    text = day.isoformat()
    assert DATE.parse_value(text) == day
    assert DATE.serialize(day) == text


@pytest.mark.parametrize("value", NO_INSTANTS, ids=ascii)
def test_an_instant_is_a_date_a_time_and_an_offset(value: object) -> None:
    with pytest.raises((ValueError, GraphQLError)) as refused:
        INSTANT.parse_value(value)
    assert str(refused.value)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-01T12:00:00Z", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("2026-05-01T12:00:00+08:00", datetime(2026, 5, 1, 4, tzinfo=UTC)),
        ("2026-05-01T12:00:00-03:30", datetime(2026, 5, 1, 15, 30, tzinfo=UTC)),
        ("2026-05-01T12:00:00.250Z", datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_an_instant_is_taken_with_any_offset(text: str, instant: datetime) -> None:
    assert INSTANT.parse_value(text) == instant


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 5, 1, 12, tzinfo=UTC), "2026-05-01T12:00:00Z"),
        (datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=8))), "2026-05-01T04:00:00Z"),
        (datetime(2026, 5, 1, 12, 0, 0, 250_999, tzinfo=UTC), "2026-05-01T12:00:00.250Z"),
    ],
)
def test_an_instant_is_given_in_utc(instant: datetime, text: str) -> None:
    assert INSTANT.serialize(instant) == text


@pytest.mark.parametrize("value", NO_INTEGERS, ids=lambda value: ascii(value)[:40])
def test_what_is_no_integer_of_64_bits_is_refused(value: object) -> None:
    with pytest.raises((ValueError, GraphQLError)) as refused:
        BIG_INT.parse_value(value)
    assert len(str(refused.value)) < 200


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_is_taken_as_a_number_and_as_a_text(number: int) -> None:
    assert BIG_INT.parse_value(number) == number
    assert BIG_INT.parse_value(str(number)) == number
    for literal in (str(number), f'"{number}"'):
        assert value_from_ast(parse_value(literal), BIG_INT) == number


def test_a_number_that_json_wrote_with_an_exponent_is_an_integer() -> None:
    taken = BIG_INT.parse_value(1e3)
    assert (taken, type(taken)) == (1000, int)


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 0])
def test_an_integer_is_given_where_every_client_can_read_it(number: int) -> None:
    assert BIG_INT.serialize(number) == number


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**63])
def test_an_integer_that_clients_would_round_is_never_given(number: int) -> None:
    with pytest.raises((ValueError, GraphQLError)):
        BIG_INT.serialize(number)
