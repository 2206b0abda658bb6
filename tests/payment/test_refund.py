"""Giving money back: all of it, once."""

import asyncio
from datetime import timedelta

import grpc
import pytest

from domain.database import Database
from domain.payment.states import PayStatus
from tests.clock import FrozenClock
from tests.payment.calls import ORDER, Announcements, Caller, refused, rows

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND", "orderSn")


async def test_a_refund_is_recorded_told_and_announced(
    caller: Caller, database: Database, announcements: Announcements, clock: FrozenClock
) -> None:
    sn = await caller.create()
    await caller.notify(sn, 1, transaction_id="4200", desc="paid", pay_time=1_772_300_000)
    await announcements.clear()
    clock.advance(timedelta(minutes=5))
    detail = await caller.refund()
    assert (detail.sn, detail.orderSn, detail.payStatus, detail.tradeState) == (sn, ORDER, 2, 2)
    assert (detail.payTime, detail.transactionId, detail.tradeStateDesc) == (1_772_300_000, "4200", "")
    assert detail.updateTime == int(clock.now().timestamp())
    assert await announcements.made() == [(ORDER, 2)]
    (row,) = await rows(database)
    assert (row["trade_state"], row["version"]) == ("REFUND", 2)


async def test_a_repeat_changes_nothing_is_answered_alike_and_announced_again(
    caller: Caller, database: Database, announcements: Announcements, clock: FrozenClock
) -> None:
    await caller.create_in(PayStatus.SUCCESS)
    first = await caller.refund()
    before = await rows(database)
    clock.advance(timedelta(minutes=5))
    assert await caller.refund() == first
    assert await rows(database) == before
    assert (await announcements.made())[-2:] == [(ORDER, 2), (ORDER, 2)]


async def test_many_refunds_at_once_move_the_money_once(caller: Caller, database: Database) -> None:
    await caller.create_in(PayStatus.SUCCESS)
    answers = await asyncio.gather(*(caller.refund() for _ in range(20)))
    assert {answer.payStatus for answer in answers} == {2}
    assert [row["version"] for row in await rows(database)] == [2]


@pytest.mark.parametrize("status", [PayStatus.WAIT, PayStatus.FAILED])
async def test_where_no_money_came_there_is_none_to_return(
    caller: Caller, database: Database, announcements: Announcements, status: PayStatus
) -> None:
    await caller.create_in(status)
    before = await rows(database)
    await announcements.clear()
    assert await refused(caller.refund()) == NOT_FOUND
    assert await rows(database) == before
    assert await announcements.made() == []


async def test_other_orders_keep_their_money(caller: Caller) -> None:
    other = await caller.create_in(PayStatus.SUCCESS, "HSO2")
    await caller.create_in(PayStatus.SUCCESS, "HSO1")
    await caller.refund("HSO1")
    assert (await caller.by_sn(other)).payStatus == 1
    assert await refused(caller.refund("HSO3")) == NOT_FOUND


async def test_money_that_comes_after_a_refund_goes_back_by_the_next_one(caller: Caller, database: Database) -> None:
    late = await caller.create_in(PayStatus.FAILED)
    first = await caller.create()
    await caller.notify(first, 1)
    assert (await caller.refund()).sn == first
    await caller.notify(late, 1)
    # It is here now, and that is what matters of the order.
    assert (await caller.of_order()).sn == late
    await caller.refund()
    assert [row["pay_status"] for row in await rows(database)] == [PayStatus.REFUNDED] * 2


async def both_paid(caller: Caller) -> tuple[str, str]:
    """Two payments of one order, both paid, the first one first."""
    second = await caller.create_in(PayStatus.FAILED)
    first = await caller.create_in(PayStatus.SUCCESS)
    await caller.notify(second, 1, pay_time=1_800_000_000)
    return first, second


async def test_one_payment_of_an_order_goes_back_and_the_other_stays(
    caller: Caller, database: Database, announcements: Announcements
) -> None:
    first, second = await both_paid(caller)
    await announcements.clear()
    detail = await caller.refund(ORDER, second)
    assert (detail.sn, detail.payStatus) == (second, PayStatus.REFUNDED)
    assert {row["sn"]: row["pay_status"] for row in await rows(database)} == {
        first: PayStatus.SUCCESS,
        second: PayStatus.REFUNDED,
    }
    assert await announcements.made() == [(ORDER, 2)]
    before = await rows(database)
    assert await caller.refund(ORDER, second) == detail
    assert await rows(database) == before
    assert await announcements.made() == [(ORDER, 2)] * 2


async def test_many_refunds_of_one_payment_at_once_move_it_once(caller: Caller, database: Database) -> None:
    _, second = await both_paid(caller)
    answers = await asyncio.gather(*(caller.refund(ORDER, second) for _ in range(20)))
    assert {answer.sn for answer in answers} == {second}
    assert sorted(row["version"] for row in await rows(database)) == [1, 3]


@pytest.mark.parametrize("status", [PayStatus.WAIT, PayStatus.FAILED])
async def test_a_payment_without_money_cant_go_back_though_another_one_could(
    caller: Caller, database: Database, announcements: Announcements, status: PayStatus
) -> None:
    late = await caller.create_in(PayStatus.FAILED)
    other = await caller.create_in(status)
    await caller.notify(late, 1)
    before = await rows(database)
    await announcements.clear()
    assert await refused(caller.refund(ORDER, other)) == (*NOT_FOUND[:2], "sn")
    assert await rows(database) == before
    assert await announcements.made() == []


async def test_a_payment_goes_back_for_its_own_order_only(caller: Caller, database: Database) -> None:
    sn = await caller.create_in(PayStatus.SUCCESS, "HSO1")
    await caller.create_in(PayStatus.SUCCESS, "HSO2")
    before = await rows(database)
    for order_sn in ("HSO2", "HSO3", "hso1", ""):
        assert await refused(caller.refund(order_sn, sn)) == (*NOT_FOUND[:2], "sn")
    assert await refused(caller.refund("HSO1", sn.lower())) == (*NOT_FOUND[:2], "sn")
    assert await rows(database) == before
    await caller.refund("HSO1", sn)
    assert await refused(caller.refund("HSO2", sn)) == (*NOT_FOUND[:2], "sn")
