"""What no homestay could offer is refused before anybody is asked."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.errors import InvalidInput, Refusal, StayTooLong
from domain.order.pricing import check_stay, local_date
from domain.order.service import Orders
from tests.clock import FrozenClock
from tests.conftest import SHANGHAI
from tests.factories import create_stay
from tests.fakes import FakeTravel

TODAY = date(2026, 5, 20)


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"start": TODAY},
        {"nights": 1},
        {"nights": 90},
        {"start": date(2028, 5, 19), "end": date(2028, 5, 20)},
        {"guests": 1},
        {"remark": "x" * 64},
        {"remark": "🏡" * 64},
        {"remark": "早点到\n谢谢"},
    ],
)
def test_a_stay_within_the_rules_is_accepted(named: dict[str, Any]) -> None:
    check_stay(create_stay(**named), today=TODAY)


@pytest.mark.parametrize(
    ("named", "refusal", "field"),
    [
        ({"start": TODAY - timedelta(days=1)}, InvalidInput, "liveStartDate"),
        ({"start": date.min}, InvalidInput, "liveStartDate"),
        ({"nights": 0}, InvalidInput, "liveEndDate"),
        ({"nights": -1}, InvalidInput, "liveEndDate"),
        ({"end": date.min}, InvalidInput, "liveEndDate"),
        ({"nights": 91}, StayTooLong, "liveEndDate"),
        ({"end": date.max}, StayTooLong, "liveEndDate"),
        ({"start": date(2028, 5, 20), "end": date(2028, 5, 21)}, InvalidInput, "liveEndDate"),
        ({"start": date.max - timedelta(days=2)}, InvalidInput, "liveEndDate"),
        ({"guests": 0}, InvalidInput, "livePeopleNum"),
        ({"guests": -5}, InvalidInput, "livePeopleNum"),
        ({"guests": -(2**31)}, InvalidInput, "livePeopleNum"),
        ({"remark": "x" * 65}, InvalidInput, "remark"),
        ({"remark": "🏡" * 65}, InvalidInput, "remark"),
        ({"remark": "a\0b"}, InvalidInput, "remark"),
    ],
)
def test_a_stay_that_breaks_a_rule_is_refused_by_the_name_of_its_field(
    named: dict[str, Any], refusal: type[Refusal], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        check_stay(create_stay(**named), today=TODAY)
    assert refused.value.field == (field,)


@pytest.mark.parametrize(
    ("today", "last"),
    [
        (date(2026, 5, 20), date(2028, 5, 20)),
        (date(2026, 2, 28), date(2028, 2, 28)),
        # There is no 29 February two years on.
        (date(2028, 2, 29), date(2030, 2, 28)),
        (date(2026, 12, 31), date(2028, 12, 31)),
    ],
)
def test_a_stay_ends_two_years_ahead_at_the_latest(today: date, last: date) -> None:
    day = timedelta(days=1)
    check_stay(create_stay(start=last - day, end=last), today=today)
    with pytest.raises(InvalidInput) as refused:
        check_stay(create_stay(start=last, end=last + day), today=today)
    assert refused.value.field == ("liveEndDate",)


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        (datetime(2026, 5, 20, 15, 59, 59, tzinfo=UTC), SHANGHAI, date(2026, 5, 20)),
        (datetime(2026, 5, 20, 16, 0, tzinfo=UTC), SHANGHAI, date(2026, 5, 21)),
        (datetime(2026, 5, 20, 3, 59, tzinfo=UTC), ZoneInfo("America/New_York"), date(2026, 5, 19)),
        (datetime(2026, 1, 20, 4, 59, tzinfo=UTC), ZoneInfo("America/New_York"), date(2026, 1, 19)),
    ],
)
def test_today_is_the_date_where_the_homestay_stands(instant: datetime, zone: ZoneInfo, day: date) -> None:
    assert local_date(instant, zone) == day


async def test_who_comes_after_local_midnight_is_too_late_for_yesterday(
    orders: Orders, travel: FakeTravel, clock: FrozenClock
) -> None:
    clock.at = datetime(2026, 5, 20, 15, 59, 59, tzinfo=UTC)
    stay = create_stay(start=date(2026, 5, 20))
    assert ((await orders.create(7, stay)).order).live_start_date == date(2026, 5, 20)
    clock.advance(timedelta(seconds=1))
    travel.asked.clear()
    with pytest.raises(InvalidInput) as ordered:
        await orders.create(7, stay)
    with pytest.raises(InvalidInput) as quoted:
        await orders.quote(stay)
    assert ordered.value.field == quoted.value.field == ("liveStartDate",)
    assert travel.asked == []
