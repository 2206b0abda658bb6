"""Payments of many orders in one answer, and walking along what changed."""

from datetime import timedelta

import grpc
import pytest
from sqlalchemy import insert, update

from domain.database import Database
from domain.payment.requests import MAX_AT_ONCE
from domain.payment.states import PayStatus
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.payment.calls import PAYMENTS, Caller, refused

FAILED, WAIT, SUCCESS, REFUNDED = PayStatus.FAILED, PayStatus.WAIT, PayStatus.SUCCESS, PayStatus.REFUNDED
ASKED_AT = int(NOW.timestamp())


def invalid(field: str) -> tuple[grpc.StatusCode, str, str]:
    return grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT", field


async def test_all_payments_of_many_orders_come_at_once_and_no_others(caller: Caller) -> None:
    open_, paid, _ = [await caller.create_in(status, f"HSO{status}") for status in (WAIT, SUCCESS, REFUNDED)]
    found = await caller.of_orders("HSO1", "HSO0", "HSO7")
    assert {detail.orderSn: detail.sn for detail in found} == {"HSO0": open_, "HSO1": paid}
    assert found == [await caller.by_sn(detail.sn) for detail in found]


async def test_of_each_order_the_payment_that_matters_most_comes_first(caller: Caller, clock: FrozenClock) -> None:
    orders: dict[str, list[str]] = {}
    for order_sn in ("HSO1", "HSO2"):
        failed = await caller.create_in(FAILED, order_sn)
        late = await caller.create_in(FAILED, order_sn)
        back = await caller.create_in(FAILED, order_sn)
        live = await caller.create(order_sn)
        await caller.notify(back, SUCCESS, pay_time=ASKED_AT)
        await caller.notify(back, REFUNDED)
        orders[order_sn] = [back, live, late, failed]
    found = await caller.of_orders("HSO2", "HSO1")
    assert [detail.sn for detail in found] == orders["HSO1"] + orders["HSO2"]

    # Of two that were paid, the one that was paid first, and before everything else.
    _, live, late, _ = orders["HSO2"]
    clock.advance(timedelta(minutes=1))
    await caller.notify(live, SUCCESS, pay_time=ASKED_AT + 60)
    await caller.notify(late, SUCCESS, pay_time=ASKED_AT + 30)
    found = await caller.of_orders("HSO2")
    assert [(detail.sn, detail.payStatus) for detail in found[:2]] == [(late, SUCCESS), (live, SUCCESS)]
    for order_sn in orders:
        assert (await caller.of_orders(order_sn))[0] == await caller.of_order(order_sn)


async def test_a_deleted_payment_is_in_no_answer(caller: Caller, database: Database) -> None:
    await caller.create_in(SUCCESS, "HSO1")
    delete = update(PAYMENTS).values(del_state=1)
    await database.write(lambda connection: connection.execute(delete))
    assert await caller.of_orders("HSO1") == []
    assert await caller.changed() == []


async def test_orders_without_payments_have_none(caller: Caller) -> None:
    await caller.create("HSO1")
    assert await caller.of_orders() == []
    assert await caller.of_orders("HSO2", "hso1") == []


async def test_an_order_that_is_named_twice_is_told_once(caller: Caller) -> None:
    await caller.create("HSO1")
    assert len(await caller.of_orders("HSO1", "HSO1")) == 1


async def test_as_many_orders_as_are_allowed_can_be_asked_for_and_not_one_more(caller: Caller) -> None:
    await caller.create("HSO1")
    sns = [f"HSO{number}" for number in range(MAX_AT_ONCE)]
    assert len(await caller.of_orders(*sns)) == 1
    assert await refused(caller.of_orders(*sns, "HSO1")) == invalid("orderSns")


@pytest.mark.parametrize("wrong", ["", " ", "x" * 26, "HSO1\0", "HSO1 ", "订单"])
async def test_what_is_no_orders_number_is_refused(caller: Caller, wrong: str) -> None:
    await caller.create("HSO1")
    assert await refused(caller.of_orders("HSO1", wrong)) == invalid("orderSns")


async def test_changes_come_oldest_first_from_a_moment_on(caller: Caller, clock: FrozenClock) -> None:
    first, second, third = [await caller.create(f"HSO{number}") for number in range(3)]
    clock.advance(timedelta(seconds=5))
    await caller.notify(second, SUCCESS)
    clock.advance(timedelta(seconds=5))
    await caller.notify(first, FAILED)
    assert [detail.sn for detail in await caller.changed()] == [third, second, first]
    found = await caller.changed(ASKED_AT + 5)
    assert [(detail.sn, detail.updateTime, detail.payStatus) for detail in found] == [
        (second, ASKED_AT + 5, SUCCESS),
        (first, ASKED_AT + 10, FAILED),
    ]
    assert await caller.changed(ASKED_AT + 11) == []


async def test_a_walk_meets_each_payment_once_however_many_changed_in_a_second(
    caller: Caller, clock: FrozenClock
) -> None:
    opened = []
    for number in range(20):
        if number in {3, 11, 12}:
            clock.advance(timedelta(seconds=1))
        opened.append(await caller.create(f"HSO{number}"))
    for limit in (1, 2, 3, 7, 20, 500):
        met: list[str] = []
        since, after = 0, 0
        while page := await caller.changed(since, after_id=after, limit=limit):
            assert len(page) <= limit
            met += [detail.sn for detail in page]
            since, after = page[-1].updateTime, page[-1].id
        assert met == opened, limit


async def test_ids_below_the_last_one_are_left_out_only_of_its_own_second(caller: Caller, clock: FrozenClock) -> None:
    first = await caller.create("HSO1")
    second = await caller.create("HSO2")
    clock.advance(timedelta(seconds=1))
    await caller.notify(first, SUCCESS)
    ids = {sn: (await caller.by_sn(sn)).id for sn in (first, second)}
    assert [detail.sn for detail in await caller.changed(ASKED_AT, after_id=ids[second])] == [first]
    assert [detail.sn for detail in await caller.changed(ASKED_AT + 1, after_id=ids[first])] == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"since": -1}, "updatedFrom"),
        ({"since": ASKED_AT * 1000}, "updatedFrom"),
        ({"after_id": -1}, "afterId"),
        ({"limit": 0}, "limit"),
        ({"limit": -1}, "limit"),
        ({"limit": MAX_AT_ONCE + 1}, "limit"),
        ({"limit": 2**63 - 1}, "limit"),
    ],
)
async def test_a_page_that_cant_be_is_refused(caller: Caller, wrong: dict[str, int], field: str) -> None:
    assert await refused(caller.changed(**wrong)) == invalid(field)


async def test_an_answer_is_never_longer_than_allowed(caller: Caller, database: Database) -> None:
    rows = [{"sn": f"PMT{number}", "order_sn": f"HSO{number}"} for number in range(MAX_AT_ONCE + 1)]
    await database.write(lambda connection: connection.execute(insert(PAYMENTS), rows))
    assert len(await caller.changed(limit=MAX_AT_ONCE)) == MAX_AT_ONCE
