"""The provider's word: what it changes, what it can't, and that the world hears of it."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import event, update
from structlog.testing import capture_logs

from domain.database import Database
from domain.payment.requests import Charge, Notice
from domain.payment.service import Payments
from domain.payment.states import PROVIDER_WORDS, PayStatus
from tests.clock import FrozenClock
from tests.payment.calls import ORDER, PAYMENTS, ZONE, Announcements, Caller, refused, rows
from tests.payment.test_states import LEGAL

FAILED, WAIT, SUCCESS, REFUNDED = PayStatus.FAILED, PayStatus.WAIT, PayStatus.SUCCESS, PayStatus.REFUNDED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
PAID_AT = 1_772_300_000


async def test_a_success_keeps_what_the_provider_says(caller: Caller, database: Database, clock: FrozenClock) -> None:
    sn = await caller.create()
    created = int(clock.now().timestamp())
    clock.advance(timedelta(minutes=3))
    await caller.notify(
        sn, 1, "SUCCESS", transaction_id="4" * 32, trade_type="J" * 20, desc="💸" * 256, pay_time=PAID_AT
    )
    detail = await caller.by_sn(sn)
    (row,) = await rows(database)
    assert detail.id == row["id"] > 0
    assert (detail.sn, detail.orderSn, detail.userId, detail.payTotal) == (sn, ORDER, 7, 59_800)
    assert (detail.payMode, detail.serviceType) == ("WECHAT_PAY", "homestayOrder")
    assert (detail.payStatus, detail.tradeState, detail.payTime) == (1, 1, PAID_AT)
    assert (detail.transactionId, detail.tradeType, detail.tradeStateDesc) == ("4" * 32, "J" * 20, "💸" * 256)
    assert (detail.createTime, detail.updateTime) == (created, created + 180)
    assert (row["trade_state"], row["version"], row["live_order_sn"]) == ("SUCCESS", 1, ORDER)


async def test_a_success_without_a_time_is_paid_now_never_in_1970(caller: Caller, clock: FrozenClock) -> None:
    sn = await caller.create()
    clock.advance(timedelta(minutes=3))
    await caller.notify(sn, 1)
    assert (await caller.by_sn(sn)).payTime == int(clock.now().timestamp())


@pytest.mark.parametrize("status", [WAIT, FAILED])
async def test_what_is_not_paid_has_no_pay_time(caller: Caller, status: PayStatus) -> None:
    sn = await caller.create()
    await caller.notify(sn, status, pay_time=PAID_AT)
    detail = await caller.by_sn(sn)
    assert (detail.payStatus, detail.tradeState, detail.payTime) == (status, status, 0)


async def test_an_unpaid_row_of_the_existing_system_has_no_pay_time(caller: Caller, database: Database) -> None:
    sn = await caller.create()
    # It writes some time into every row.
    some_time = update(PAYMENTS).values(pay_time=PAYMENTS.c.create_time)
    await database.write(lambda connection: connection.execute(some_time))
    assert (await caller.by_sn(sn)).payTime == 0


@pytest.mark.parametrize("word", PROVIDER_WORDS)
async def test_each_of_the_providers_words_is_recorded(caller: Caller, database: Database, word: str) -> None:
    status = PROVIDER_WORDS[word]
    sn = await caller.create_in(SUCCESS if status is REFUNDED else WAIT)
    await caller.notify(sn, status, word)
    (row,) = await rows(database)
    assert row["pay_status"] is status
    # A word that moves nothing is not stored: it is a repeat.
    assert row["trade_state"] == ("NOTPAY" if status is WAIT else word)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"status": 3}, "payStatus"),
        ({"status": -2}, "payStatus"),
        ({"status": 2**40}, "payStatus"),
        ({"status": 1, "word": "PAID"}, "tradeState"),
        ({"status": 1, "word": "NOTPAY"}, "tradeState"),
        ({"status": -1, "word": "SUCCESS"}, "tradeState"),
        ({"status": 1, "transaction_id": "4" * 33}, "transactionId"),
        ({"status": 1, "trade_type": "J" * 21}, "tradeType"),
        ({"status": 1, "desc": "x" * 257}, "tradeStateDesc"),
        ({"status": 1, "pay_time": -1}, "payTime"),
        ({"status": 1, "pay_time": PAID_AT * 1000}, "payTime"),
    ],
)
async def test_a_bad_notice_is_refused_and_changes_nothing(
    caller: Caller, database: Database, announcements: Announcements, wrong: dict[str, Any], field: str
) -> None:
    sn = await caller.create()
    before = await rows(database)
    assert await refused(caller.notify(sn, **wrong)) == (INVALID, "INVALID_INPUT", field)
    assert await rows(database) == before
    assert await announcements.made() == []


def words_unknown() -> float:
    return REGISTRY.get_sample_value("homestay_provider_words_unknown_total") or 0.0


async def test_people_are_told_of_a_word_that_nobody_knows_and_not_what_it_is(caller: Caller) -> None:
    sn, before = await caller.create(), words_unknown()
    with capture_logs() as logs:
        assert await refused(caller.notify(sn, 1, "PARTIALLY_PAID")) == (INVALID, "INVALID_INPUT", "tradeState")
    told = {"event": "provider's word unknown", "log_level": "error", "sn": sn, "status": "SUCCESS", "length": 14}
    assert logs == [told]
    assert words_unknown() == before + 1
    # Who asks about a payment that is not there has no text of theirs in our logs either.
    with capture_logs() as logs:
        await refused(caller.notify("a planted text", 1, "PARTIALLY_PAID"))
    assert logs == [told | {"sn": None}]
    with capture_logs() as logs:
        await caller.notify(sn, 1, "SUCCESS")
        await refused(caller.notify(sn, -1, "SUCCESS"))
    assert logs == []
    assert words_unknown() == before + 2


@pytest.mark.parametrize("sn", ["PMT20260301120506ABCDEFGH", "", "x" * 400, ORDER, "'; --\0"])
async def test_a_notice_of_an_unknown_payment_is_not_found(caller: Caller, sn: str) -> None:
    await caller.create()
    assert await refused(caller.notify(sn, 1)) == (grpc.StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND", "sn")


@pytest.mark.parametrize("wanted", PayStatus)
@pytest.mark.parametrize("current", PayStatus)
async def test_every_move_is_legal_a_repeat_or_refused(
    caller: Caller, database: Database, announcements: Announcements, current: PayStatus, wanted: PayStatus
) -> None:
    sn = await caller.create_in(current)
    (before,) = await rows(database)
    await announcements.clear()
    if current is wanted or (current, wanted) in LEGAL:
        await caller.notify(sn, wanted)
        assert await announcements.made() == ([] if wanted is WAIT else [(ORDER, wanted)])
    else:
        code, reason, _ = await refused(caller.notify(sn, wanted))
        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "INVALID_TRANSITION")
        assert await announcements.made() == []
    (after,) = await rows(database)
    if (current, wanted) in LEGAL:
        assert (after["pay_status"], after["version"]) == (wanted, before["version"] + 1)
        assert after["live_order_sn"] == (None if wanted is FAILED else ORDER)
    else:
        assert after == before


async def test_a_repeat_changes_nothing_is_answered_alike_and_announced_again(
    caller: Caller, database: Database, announcements: Announcements, clock: FrozenClock
) -> None:
    sn = await caller.create()
    first = await caller.notify(sn, 1, "SUCCESS", transaction_id="4200", pay_time=PAID_AT)
    before = await rows(database)
    clock.advance(timedelta(hours=1))
    second = await caller.notify(sn, 1, "SUCCESS", transaction_id="9999", pay_time=PAID_AT + 60)
    assert first == second
    assert await rows(database) == before
    assert await announcements.made() == [(ORDER, 1), (ORDER, 1)]


async def test_a_refund_keeps_when_and_how_it_was_paid(caller: Caller, clock: FrozenClock) -> None:
    sn = await caller.create()
    await caller.notify(sn, 1, "SUCCESS", transaction_id="4200", trade_type="JSAPI", desc="paid", pay_time=PAID_AT)
    clock.advance(timedelta(days=1))
    await caller.notify(
        sn, 2, "REFUND", transaction_id="5300", trade_type="ORIGINAL", desc="back", pay_time=PAID_AT + 1
    )
    detail = await caller.by_sn(sn)
    assert (detail.payStatus, detail.tradeState, detail.payTime) == (2, 2, PAID_AT)
    assert (detail.transactionId, detail.tradeType, detail.tradeStateDesc) == ("4200", "JSAPI", "back")
    assert detail.updateTime == int(clock.now().timestamp())


async def test_what_a_notice_does_not_say_overwrites_nothing(caller: Caller) -> None:
    sn = await caller.create()
    await caller.notify(sn, -1, "PAYERROR", transaction_id="4200", trade_type="JSAPI")
    await caller.notify(sn, 1, "SUCCESS", pay_time=PAID_AT)
    detail = await caller.by_sn(sn)
    assert (detail.transactionId, detail.tradeType) == ("4200", "JSAPI")


async def test_an_announcement_names_the_order_not_the_payment(caller: Caller, announcements: Announcements) -> None:
    sn = await caller.create("HSO1")
    await caller.notify(sn, -1)
    await caller.notify(sn, 1)
    await caller.notify(sn, 2)
    assert await announcements.made() == [("HSO1", -1), ("HSO1", 1), ("HSO1", 2)]


async def test_a_change_and_its_letter_are_committed_at_once_and_then_told(
    database: Database, announcements: Announcements, clock: FrozenClock
) -> None:
    journal: list[str] = []
    payments = Payments(database, lambda: journal.append("wake"), clock, zone=ZONE)
    opened = await payments.create(Charge(user_id=7, order_sn="HSO1", pay_mode="WECHAT_PAY", total=1))

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        verb, _, rest = statement.partition(" ")
        if verb in {"UPDATE", "INSERT"}:
            journal.append(f"{verb} {rest.removeprefix('INTO ').split()[0]}")

    event.listen(database.engine.sync_engine, "commit", lambda _: journal.append("commit"))
    await payments.update(Notice(sn=opened.sn, status=SUCCESS))
    assert journal[:4] == ["UPDATE third_payment", "INSERT homestay_outbox", "commit", "wake"]
    journal.clear()
    await payments.refund("HSO1")
    assert journal == ["UPDATE third_payment", "INSERT homestay_outbox", "commit", "wake"]
    assert await announcements.made() == [("HSO1", 1), ("HSO1", 2)]


async def test_neither_the_change_nor_its_letter_is_there_without_the_other(
    database: Database, announcements: Announcements, clock: FrozenClock
) -> None:
    payments = Payments(database, announcements.wake, clock, zone=ZONE)
    opened = await payments.create(Charge(user_id=7, order_sn="HSO1", pay_mode="WECHAT_PAY", total=1))

    def power_cut(*_: object) -> None:
        raise RuntimeError

    def full(_: object, __: object, statement: str, *___: object) -> None:
        if "homestay_outbox" in statement:
            raise RuntimeError

    for name, failure in (("commit", power_cut), ("before_cursor_execute", full)):
        event.listen(database.engine.sync_engine, name, failure)
        with pytest.raises(RuntimeError):
            await payments.update(Notice(sn=opened.sn, status=SUCCESS))
        event.remove(database.engine.sync_engine, name, failure)
        assert await announcements.made() == []
        assert (await payments.by_sn(opened.sn)).pay_status is WAIT
    assert announcements.wakes == 0


async def test_of_many_successes_at_once_one_moves_and_all_are_answered(
    caller: Caller, database: Database, announcements: Announcements
) -> None:
    sn = await caller.create()
    await asyncio.gather(*(caller.notify(sn, 1, pay_time=PAID_AT + n, transaction_id=f"4{n}") for n in range(10)))
    (row,) = await rows(database)
    assert (row["version"], row["pay_status"]) == (1, SUCCESS)
    # Time and number are of one and the same notice.
    assert row["transaction_id"] == f"4{int(row['pay_time'].timestamp()) - PAID_AT}"
    assert await announcements.made() == [(ORDER, 1)] * 10


async def test_money_wins_over_a_failure_in_whatever_order_they_come(caller: Caller, database: Database) -> None:
    async def fails_or_not(sn: str) -> None:
        # Refused where the success was faster; either is right.
        await asyncio.gather(caller.notify(sn, -1), return_exceptions=True)

    for number in range(20):
        sn = await caller.create(f"HSO{number}")
        await asyncio.gather(fails_or_not(sn), caller.notify(sn, 1))
    stored = await rows(database)
    assert {row["pay_status"] for row in stored} == {SUCCESS}
    assert [row["live_order_sn"] for row in stored] == [f"HSO{number}" for number in range(20)]


async def test_a_success_after_a_failure_takes_the_orders_place_again(caller: Caller, database: Database) -> None:
    sn = await caller.create_in(FAILED)
    await caller.notify(sn, 1, pay_time=PAID_AT)
    assert await caller.create() == sn
    (row,) = await rows(database)
    assert (row["pay_status"], row["live_order_sn"]) == (SUCCESS, ORDER)


async def test_a_success_after_a_failure_is_recorded_beside_the_payment_that_took_its_place(
    caller: Caller, database: Database, announcements: Announcements, clock: FrozenClock
) -> None:
    late = await caller.create_in(FAILED)
    live = await caller.create()
    await announcements.clear()
    await caller.notify(late, 1, "SUCCESS", transaction_id="4200", pay_time=PAID_AT)
    assert [(row["pay_status"], row["live_order_sn"]) for row in await rows(database)] == [
        (SUCCESS, None),
        (WAIT, ORDER),
    ]
    assert (await caller.by_sn(late)).transactionId == "4200"
    assert await announcements.made() == [(ORDER, 1)]
    # Nobody is asked to pay again: whoever opens a payment is shown the money that came.
    assert await caller.create() == late
    assert (await caller.of_order()).sn == (await caller.settled()).sn == late

    with capture_logs() as logs:
        await caller.notify(live, 1, pay_time=PAID_AT + 60)
    assert [(entry["order_sn"], entry["payment_sns"]) for entry in logs if entry["log_level"] == "warning"] == [
        (ORDER, [late, live])
    ]
    # The first money stays the order's payment.
    assert (await caller.of_order()).sn == (await caller.settled()).sn == late
    clock.advance(timedelta(hours=1))
    await caller.refund()
    assert {row["pay_status"] for row in await rows(database)} == {REFUNDED}


async def test_after_money_beside_the_live_payment_no_third_one_opens(caller: Caller, database: Database) -> None:
    late = await caller.create_in(FAILED)
    live = await caller.create()
    await caller.notify(late, 1)
    await caller.notify(live, -1)
    assert await caller.create() == late
    assert len(await rows(database)) == 2


async def test_an_order_paid_once_raises_no_alarm(caller: Caller) -> None:
    sn = await caller.create_in(FAILED)
    with capture_logs() as logs:
        await caller.notify(sn, 1)
    assert logs == []
