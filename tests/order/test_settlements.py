"""What each homestay business earned by the stays of a month, written once when the month is over."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from domain.columns import table_of
from domain.database import Database
from domain.money import Fen
from domain.order.models import HomestaySettlement
from domain.order.settlement_repository import Settlement
from domain.order.settlements import Settlements
from domain.order.states import TradeState
from tests.clock import FrozenClock
from tests.conftest import SHANGHAI
from tests.order.rows import add_order, change, stored

SETTLEMENTS: Final = table_of(HomestaySettlement)
# One second after June is over in Shanghai; elsewhere it may not be.
AFTER_JUNE: Final = datetime(2026, 6, 30, 16, 0, 1, tzinfo=UTC)
MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)


@pytest.fixture
def settlements(database: Database, clock: FrozenClock) -> Settlements:
    clock.at = AFTER_JUNE
    return Settlements(database, clock, SHANGHAI)


def stay_of_june(**named: Any) -> dict[str, Any]:
    """Two nights that ended in June, used, 598.00 and 120.00 for food, at business 11."""
    return {
        "trade_state": TradeState.USED,
        "live_start_date": date(2026, 6, 8),
        "live_end_date": date(2026, 6, 10),
        "homestay_total_price": 59_800,
        "food_total_price": 12_000,
        "order_total_price": 71_800,
        **named,
    }


def settled(month: date = JUNE, business_id: int = 11, *, orders: int = 1, nights: int | None = None) -> Settlement:
    """What `orders` of `stay_of_june` come to."""
    return Settlement(
        month=month,
        business_id=business_id,
        orders=orders,
        nights=2 * orders if nights is None else nights,
        homestay_total=Fen(59_800 * orders),
        food_total=Fen(12_000 * orders),
        total=Fen(71_800 * orders),
        settled_at=AFTER_JUNE,
    )


async def test_stays_that_were_used_and_stays_that_were_paid_in_vain_are_earned(
    settlements: Settlements, database: Database
) -> None:
    for state in (*TradeState, TradeState.USED):
        if state not in {TradeState.WAIT_PAY, TradeState.WAIT_USE}:
            await add_order(database, **stay_of_june(trade_state=state))
    await add_order(database, **stay_of_june(homestay_business_id=12))
    await add_order(database, **stay_of_june(homestay_business_id=13, trade_state=TradeState.REFUNDED))
    deleted = await add_order(database, **stay_of_june())
    await change(database, deleted.sn, del_state=1)
    await settlements.settle()
    assert await settlements.of(JUNE) == [settled(orders=3), settled(business_id=12)]
    assert await settlements.of(date(2026, 6, 30), 12) == [settled(business_id=12)]
    assert await settlements.of(JUNE, 13) == []


async def test_a_stay_belongs_to_the_month_of_its_day_of_leaving(settlements: Settlements, database: Database) -> None:
    for start, end in (
        (date(2026, 5, 30), date(2026, 5, 31)),
        (date(2026, 5, 28), date(2026, 6, 1)),
        (date(2026, 6, 1), date(2026, 6, 30)),
        (date(2026, 6, 29), date(2026, 7, 1)),
    ):
        await add_order(database, **stay_of_june(live_start_date=start, live_end_date=end))
    await settlements.settle()
    assert await settlements.of(MAY) == [settled(MAY, nights=1)]
    assert await settlements.of(JUNE) == [settled(orders=2, nights=4 + 29)]
    assert await settlements.of(date(2026, 7, 1)) == []


@pytest.mark.parametrize(
    ("zone", "over"),
    [("Asia/Shanghai", AFTER_JUNE), ("UTC", AFTER_JUNE + timedelta(hours=8)), ("America/New_York", None)],
)
async def test_a_month_is_over_when_it_is_over_where_the_homestay_stands(
    database: Database, clock: FrozenClock, zone: str, over: datetime | None
) -> None:
    await add_order(database, **stay_of_june())
    clock.at = over or datetime(2026, 7, 1, 4, 0, 1, tzinfo=UTC)
    settlements = Settlements(database, clock, ZoneInfo(zone))
    clock.advance(-timedelta(seconds=2))
    await settlements.settle()
    assert await settlements.of(JUNE) == []
    clock.advance(timedelta(seconds=2))
    await settlements.settle()
    assert len(await settlements.of(JUNE)) == 1


@pytest.mark.parametrize("state", [TradeState.WAIT_USE, TradeState.WAIT_PAY])
async def test_a_business_waits_until_none_of_its_stays_is_undecided(
    settlements: Settlements, database: Database, state: TradeState
) -> None:
    await add_order(database, **stay_of_june())
    await add_order(database, **stay_of_june(homestay_business_id=12))
    undecided = await add_order(database, **stay_of_june(trade_state=state))
    assert await settlements.settle() == MAY
    assert await settlements.of(JUNE) == [settled(business_id=12)]
    await change(database, undecided.sn, trade_state=TradeState.EXPIRED)
    assert await settlements.settle(MAY) == JUNE
    assert await settlements.of(JUNE) == [settled(orders=2), settled(business_id=12)]


async def test_an_unpaid_order_that_the_existing_system_forgot_holds_nothing_up(
    settlements: Settlements, database: Database
) -> None:
    await add_order(database, **stay_of_june())
    await add_order(database, **stay_of_june(trade_state=TradeState.WAIT_PAY, close_at=None))
    await add_order(database, **stay_of_june(trade_state=TradeState.WAIT_PAY, close_at=None, homestay_business_id=12))
    assert await settlements.settle() == JUNE
    assert await settlements.of(JUNE) == [settled()]


async def test_what_is_settled_never_changes(settlements: Settlements, database: Database, clock: FrozenClock) -> None:
    order = await add_order(database, **stay_of_june())
    await settlements.settle()
    before = await stored(database, SETTLEMENTS)
    await add_order(database, **stay_of_june())
    await change(database, order.sn, trade_state=TradeState.REFUNDED)
    for note in (None, MAY, JUNE):
        clock.advance(timedelta(hours=1))
        assert await settlements.settle(note) == JUNE
        assert await stored(database, SETTLEMENTS) == before


async def test_two_that_settle_at_once_settle_once(settlements: Settlements, database: Database) -> None:
    for business in range(20):
        await add_order(database, **stay_of_june(homestay_business_id=business))
    await asyncio.gather(*(settlements.settle(MAY) for _ in range(5)))
    assert await settlements.of(JUNE) == [settled(business_id=business) for business in range(20)]


async def test_months_that_passed_while_nothing_ran_are_settled_two_years_back(
    settlements: Settlements, database: Database
) -> None:
    ends = [date(2024, 6, 30), date(2024, 7, 1), date(2025, 12, 31), date(2026, 2, 28), date(2026, 6, 30)]
    for end in ends:
        await add_order(database, **stay_of_june(live_start_date=end - timedelta(days=2), live_end_date=end))
    assert await settlements.settle() == JUNE
    assert [row["month"] for row in await stored(database, SETTLEMENTS)] == [end.replace(day=1) for end in ends[1:]]


async def test_months_that_are_known_to_be_settled_are_not_looked_at(
    settlements: Settlements, database: Database, clock: FrozenClock
) -> None:
    ran: list[str] = []

    def remember(_: sa.Connection, __: object, statement: str, *___: object) -> None:
        ran.append(statement)

    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", remember)
    assert await settlements.settle(JUNE) == JUNE
    assert [statement for statement in ran if "homestay" in statement] == []
    clock.at += timedelta(days=31)
    assert await settlements.settle(JUNE) == date(2026, 7, 1)
    assert len([statement for statement in ran if "homestay_order" in statement]) == 1


async def test_a_month_that_is_not_wholly_settled_is_looked_at_again_though_a_later_one_is(
    settlements: Settlements, database: Database
) -> None:
    late = await add_order(
        database,
        **stay_of_june(trade_state=TradeState.WAIT_USE, live_end_date=date(2026, 5, 31), homestay_business_id=9),
    )
    await add_order(database, **stay_of_june())
    assert await settlements.settle() == date(2026, 4, 1)
    assert await settlements.of(JUNE) == [settled()]
    await change(database, late.sn, trade_state=TradeState.USED, live_start_date=date(2026, 5, 29))
    assert await settlements.settle(date(2026, 4, 1)) == JUNE
    assert await settlements.of(MAY) == [settled(MAY, 9)]


async def test_orders_that_do_not_add_up_are_left_to_people(settlements: Settlements, database: Database) -> None:
    await add_order(database, **stay_of_june(order_total_price=71_801))
    await add_order(database, **stay_of_june(homestay_business_id=12))
    with capture_logs() as logs:
        assert await settlements.settle() == MAY
    assert [(each["month"], each["business_id"]) for each in logs if each["log_level"] == "error"] == [("2026-06", 11)]
    assert await settlements.of(JUNE) == [settled(business_id=12)]


async def test_sums_are_exact_where_a_float_is_not(settlements: Settlements, database: Database) -> None:
    large = 2**53 - 1
    for _ in range(3):
        await add_order(
            database, **stay_of_june(homestay_total_price=large - 1, food_total_price=1, order_total_price=large)
        )
    await settlements.settle()
    (found,) = await settlements.of(JUNE)
    assert (found.homestay_total, found.food_total, found.total) == (3 * (large - 1), 3, 3 * large)
