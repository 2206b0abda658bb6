"""Opening payments: one live payment an order, whoever asks, however often, and all at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from sqlalchemy import DefaultClause, MetaData, insert
from sqlalchemy.exc import IntegrityError

from domain.database import Database
from domain.engine import create_engine
from domain.payment import numbers
from domain.payment.requests import Charge
from domain.payment.service import Payments
from domain.payment.states import PayStatus
from tests.clock import FrozenClock
from tests.payment.calls import ORDER, PAYMENTS, ZONE, Announcements, Caller, refused, rows

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_a_payment_is_stored_as_it_was_asked_for(caller: Caller, database: Database, clock: FrozenClock) -> None:
    expires = int((clock.now() + timedelta(minutes=20)).timestamp())
    sn = await caller.create(expire_time=expires, service_type="tripOrder")
    (row,) = await rows(database)
    now = clock.now().replace(microsecond=0)
    assert sn.startswith(f"PMT{clock.now().astimezone(ZONE):%Y%m%d%H%M%S}")
    assert row.pop("delete_time") is not None
    assert row == {
        "id": row["id"],
        "sn": sn,
        "create_time": now,
        "update_time": now,
        "del_state": 0,
        "version": 0,
        "user_id": 7,
        "pay_mode": "WECHAT_PAY",
        "trade_type": "",
        "trade_state": "NOTPAY",
        "pay_total": 59_800,
        "transaction_id": "",
        "trade_state_desc": "",
        "order_sn": ORDER,
        "service_type": "tripOrder",
        "pay_status": PayStatus.WAIT,
        "pay_time": None,
        "expire_time": datetime.fromtimestamp(expires, UTC),
        "live_order_sn": ORDER,
    }


async def test_the_largest_of_everything_fits_the_table(caller: Caller, database: Database) -> None:
    wide: dict[str, Any] = {"mode": "W" * 20, "service_type": "s" * 32, "total": 2**53 - 1, "user_id": 2**63 - 1}
    await caller.create("~" * 25, **wide, expire_time=253_402_300_799)
    (row,) = await rows(database)
    assert (row["pay_mode"], row["service_type"], row["order_sn"]) == ("W" * 20, "s" * 32, "~" * 25)
    assert (row["pay_total"], row["user_id"]) == (2**53 - 1, 2**63 - 1)
    assert row["expire_time"].year == 9999


async def test_what_is_left_out_has_its_usual_meaning(caller: Caller, database: Database) -> None:
    await caller.create(service_type="", expire_time=0)
    (row,) = await rows(database)
    assert (row["service_type"], row["expire_time"]) == ("homestayOrder", None)


async def test_twenty_who_open_at_once_get_one_payment(caller: Caller, database: Database) -> None:
    for order in (f"HSO{number}" for number in range(5)):
        assert len(set(await asyncio.gather(*(caller.create(order) for _ in range(20))))) == 1
    assert len(await rows(database)) == 5


async def test_the_table_itself_keeps_two_payments_from_being_live(caller: Caller, database: Database) -> None:
    await caller.create()
    second = insert(PAYMENTS).values(sn="PMT2", order_sn=ORDER, live_order_sn=ORDER)
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: connection.execute(second))


async def test_orders_do_not_share_a_payment(caller: Caller) -> None:
    assert await caller.create("HSO1") != await caller.create("HSO2")


@pytest.mark.parametrize("status", [PayStatus.WAIT, PayStatus.SUCCESS, PayStatus.REFUNDED])
async def test_a_payment_that_did_not_fail_is_found_again(
    caller: Caller, database: Database, clock: FrozenClock, status: PayStatus
) -> None:
    sn = await caller.create_in(status)
    clock.advance(timedelta(minutes=1))
    assert await caller.create() == sn
    assert (await caller.by_sn(sn)).payStatus == status
    assert len(await rows(database)) == 1


async def test_after_a_failure_a_new_payment_opens(caller: Caller, database: Database) -> None:
    failed = await caller.create_in(PayStatus.FAILED)
    opened = await caller.create(total=40_000)
    assert opened != failed
    assert [row["live_order_sn"] for row in await rows(database)] == [None, ORDER]
    assert (await caller.by_sn(failed)).payStatus == -1
    assert (await caller.by_sn(opened)).payTotal == 40_000


@pytest.mark.parametrize("status", [PayStatus.WAIT, PayStatus.SUCCESS])
@pytest.mark.parametrize(("other", "field"), [({"user_id": 8}, "userId"), ({"total": 1}, "payTotal")])
async def test_an_orders_payment_is_not_given_to_another_guest_or_amount(
    caller: Caller, database: Database, status: PayStatus, other: dict[str, Any], field: str
) -> None:
    await caller.create_in(status)
    assert await refused(caller.create(**other)) == (INVALID, "INVALID_INPUT", field)
    assert len(await rows(database)) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"total": 0}, "payTotal"),
        ({"total": 2**53}, "payTotal"),
        ({"user_id": 0}, "userId"),
        ({"order_sn": ""}, "orderSn"),
        ({"order_sn": "x" * 26}, "orderSn"),
        ({"mode": ""}, "payModel"),
        ({"service_type": "s" * 33}, "serviceType"),
        ({"expire_time": -1}, "expireTime"),
        ({"expire_time": 1_772_337_906_000}, "expireTime"),  # milliseconds
    ],
)
async def test_bad_input_is_refused_by_the_name_of_its_field_and_stored_nowhere(
    caller: Caller, database: Database, wrong: dict[str, Any], field: str
) -> None:
    assert await refused(caller.create(**wrong)) == (INVALID, "INVALID_INPUT", field)
    assert await rows(database) == []


async def test_a_number_drawn_twice_is_drawn_again(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = await caller.create("HSO1")
    draws = iter([taken, taken, "PMT20260301120506ZZZZZZZZ"])
    monkeypatch.setattr(numbers, "payment_sn", lambda *_: next(draws))
    assert await caller.create("HSO2") == "PMT20260301120506ZZZZZZZZ"


async def test_an_open_payment_of_the_existing_system_is_found_too(caller: Caller, database: Database) -> None:
    # Its rows know nothing of `live_order_sn`.
    adopted = {"sn": "PMT-OLD", "order_sn": ORDER, "user_id": 7, "pay_total": 59_800, "pay_mode": "WECHAT_PAY"}
    await database.write(lambda connection: connection.execute(insert(PAYMENTS).values(adopted)))
    assert await caller.create() == "PMT-OLD"


async def test_a_table_of_the_existing_system_takes_a_payment_that_is_not_paid_yet(clock: FrozenClock) -> None:
    theirs = PAYMENTS.to_metadata(MetaData())
    theirs.c.pay_time.nullable = False
    theirs.c.pay_time.server_default = DefaultClause("1970-01-01 08:00:00")
    database = Database(create_engine("sqlite+aiosqlite:///:memory:"))
    async with database.engine.begin() as connection:
        await connection.run_sync(theirs.create)
    payments = Payments(database, lambda: None, clock, zone=ZONE)
    opened = await payments.create(Charge(user_id=7, order_sn=ORDER, pay_mode="WECHAT_PAY", total=1))
    found = await payments.by_sn(opened.sn)
    await database.close()
    assert opened.paid_at is found.paid_at is None


async def test_opening_is_no_change_to_announce(caller: Caller, announcements: Announcements) -> None:
    await caller.create()
    await caller.create()
    assert await announcements.made() == []
