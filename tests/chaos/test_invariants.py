"""The judge itself: it finds nothing where every promise was kept, and each way to break one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.chaos import findings
from tests.chaos.books import Books, EventRow, LetterRow, NightRow, OrderRow, PaymentRow, RefundRow
from tests.chaos.findings import LEAK, TRACEBACK, Outage
from tests.chaos.invariants import judge
from tests.chaos.ledger import Attempt, Ledger, Opened, Outcome
from tests.chaos.lodgings import LODGINGS
from tests.chaos.logs import Logs

PLACED: Final = datetime(2026, 5, 20, 4, 0, tzinfo=UTC)
DUE: Final = PLACED + timedelta(seconds=2)
BOUND: Final = timedelta(seconds=6)
LODGING: Final = LODGINGS[0]
TOTAL: Final = 2 * LODGING.price


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def event(sn: str, to: TradeState, *, after: float, reason: CloseReason | None = None) -> EventRow:
    came = None if to is TradeState.WAIT_PAY else TradeState.WAIT_PAY
    return EventRow(order_sn=sn, at=PLACED + seconds(after), from_state=came, to_state=to, reason=reason)


def order(
    attempt: Attempt, sn: str, state: TradeState, reason: CloseReason | None = None, payment_sn: str = ""
) -> OrderRow:
    return OrderRow(
        sn=sn,
        user_id=attempt.user,
        homestay_id=LODGING.id,
        row_type=0,
        need_food=0,
        food_price=LODGING.food_price,
        homestay_price=LODGING.price,
        live_start_date=attempt.start,
        live_end_date=attempt.end,
        live_people_num=attempt.people,
        trade_state=state,
        trade_code="A1B2C3D4",
        payment_sn=payment_sn,
        remark=attempt.remark,
        order_total_price=TOTAL,
        food_total_price=0,
        homestay_total_price=TOTAL,
        close_at=DUE,
        close_reason=reason,
    )


def payment(sn: str, order_sn: str, status: PaymentStatus) -> PaymentRow:
    return PaymentRow(
        sn=sn, order_sn=order_sn, user_id=1001, pay_total=TOTAL, pay_status=status, update_time=PLACED + seconds(4)
    )


class Story:
    """Four orders, each with another fate, and what their guests were told."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        paid, closed, cancelled, unknown = (self._wish() for _ in range(4))
        for attempt, sn in ((paid, "PAID"), (closed, "CLOSED"), (cancelled, "CANCELLED")):
            attempt.outcome, attempt.sn, attempt.total = Outcome.ACKNOWLEDGED, sn, TOTAL
        unknown.outcome = Outcome.UNKNOWN
        self.refused, self.unreached = self._wish(), self._wish()
        self.refused.outcome, self.unreached.outcome = Outcome.REFUSED, Outcome.UNREACHED
        self.ledger.opened = {"P1": Opened("PAID", TOTAL), "P2": Opened("CLOSED", TOTAL)}
        self.ledger.told = {
            "P1": {PaymentStatus.SUCCESS: PLACED + seconds(1)},
            "P2": {PaymentStatus.SUCCESS: PLACED + seconds(3)},
        }
        self.ledger.given_up, self.ledger.seen_paid = {"CANCELLED"}, {"PAID"}
        self.books = Books(
            now=PLACED + seconds(20),
            orders=[
                order(paid, "PAID", TradeState.WAIT_USE, payment_sn="P1"),
                order(closed, "CLOSED", TradeState.CANCELLED, CloseReason.UNPAID_TIMEOUT),
                order(cancelled, "CANCELLED", TradeState.CANCELLED, CloseReason.GUEST),
                order(unknown, "UNKNOWN", TradeState.CANCELLED, CloseReason.UNPAID_TIMEOUT),
            ],
            events={
                sn: [event(sn, TradeState.WAIT_PAY, after=0), event(sn, to, after=after, reason=reason)]
                for sn, to, after, reason in (
                    ("PAID", TradeState.WAIT_USE, 1, None),
                    ("CLOSED", TradeState.CANCELLED, 2.1, CloseReason.UNPAID_TIMEOUT),
                    ("CANCELLED", TradeState.CANCELLED, 0.5, CloseReason.GUEST),
                    ("UNKNOWN", TradeState.CANCELLED, 2.4, CloseReason.UNPAID_TIMEOUT),
                )
            },
            payments=[
                payment("P1", "PAID", PaymentStatus.SUCCESS),
                payment("P2", "CLOSED", PaymentStatus.REFUNDED),
            ],
            refunds=[RefundRow(order_sn="CLOSED", payment_sn="P2", total=TOTAL, refunded_at=PLACED + seconds(4))],
            nights=[
                NightRow(homestay_id=LODGING.id, night=night, place=0, order_sn="PAID")
                for night in (date(2026, 6, 1), date(2026, 6, 2))
            ],
        )

    def _wish(self) -> Attempt:
        return self.ledger.attempt(LODGING, date(2026, 6, 1), date(2026, 6, 3), people=1, food=False)

    def change(self, sn: str, **changes: object) -> None:
        self.books = replace(
            self.books,
            orders=[replace(row, **changes) if row.sn == sn else row for row in self.books.orders],  # type: ignore[arg-type]
        )

    def found(self, *outages: Outage) -> set[tuple[str, str]]:
        verdict = judge(self.books, self.ledger, bound=BOUND, outages=outages)
        return {(finding.kind, finding.sn) for finding in verdict.findings}


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_kept_promise_is_no_finding_and_gives_the_figures(story: Story) -> None:
    verdict = judge(story.books, story.ledger, bound=BOUND)
    assert verdict.findings == []
    assert verdict.lateness == seconds(0.4)
    assert (verdict.refunds_due, verdict.refunds_made, verdict.paid_in_vain) == (1, 1, 0)
    assert verdict.slowest_refund == seconds(1)


def test_money_that_came_in_time_and_went_back_is_counted(story: Story) -> None:
    story.ledger.told["P2"] = {PaymentStatus.SUCCESS: PLACED + seconds(1.9)}
    assert judge(story.books, story.ledger, bound=BOUND).paid_in_vain == 1


def drop_order(story: Story) -> None:
    story.books.orders.pop(0)


def drop_cancellation(story: Story) -> None:
    story.change("CANCELLED", close_reason=CloseReason.UNPAID_TIMEOUT)


def drop_payment(story: Story) -> None:
    story.books.payments.pop(0)


def forget_money(story: Story) -> None:
    story.books.payments[0] = replace(story.books.payments[0], pay_status=PaymentStatus.WAIT)


def store_twice(story: Story) -> None:
    again = replace(story.books.orders[3], sn="AGAIN")
    story.books.orders.append(again)
    story.books.events["AGAIN"] = story.books.events["UNKNOWN"]


def store_refused(story: Story) -> None:
    story.refused.remark = story.books.orders[3].remark
    story.ledger.attempts.remove(next(wish for wish in story.ledger.attempts if wish.outcome is Outcome.UNKNOWN))


def store_what_nobody_took(story: Story) -> None:
    store_refused(story)
    story.refused.outcome = Outcome.UNREACHED


def invent(story: Story) -> None:
    story.change("UNKNOWN", remark="Nobody wrote this.")


def other_price_than_told(story: Story) -> None:
    story.ledger.attempts[0].total -= 1


def leave_open(story: Story) -> None:
    story.change("UNKNOWN", trade_state=TradeState.WAIT_PAY, close_reason=None)
    story.books.events["UNKNOWN"].pop()


def close_late(story: Story) -> None:
    story.books.events["CLOSED"][1] = replace(story.books.events["CLOSED"][1], at=DUE + seconds(6.5))


def close_early(story: Story) -> None:
    story.books.events["CLOSED"][1] = replace(story.books.events["CLOSED"][1], at=DUE - seconds(0.001))


def keep_late_money(story: Story) -> None:
    story.books.payments[1] = replace(story.books.payments[1], pay_status=PaymentStatus.SUCCESS)


def keep_money_twice(story: Story) -> None:
    story.books.payments.append(payment("P3", "PAID", PaymentStatus.SUCCESS))


def pay_too_little(story: Story) -> None:
    story.ledger.opened.clear()
    story.books.payments[0] = replace(story.books.payments[0], pay_total=TOTAL - 1)


def return_money_of_the_paid(story: Story) -> None:
    story.books.payments[0] = replace(story.books.payments[0], pay_status=PaymentStatus.REFUNDED)


def return_without_a_record(story: Story) -> None:
    story.books.refunds.clear()


def return_twice(story: Story) -> None:
    story.books.refunds.append(story.books.refunds[0])


def return_not(story: Story) -> None:
    story.books.refunds[0] = replace(story.books.refunds[0], refunded_at=None)


def hold_too_little(story: Story) -> None:
    story.books.nights.pop()


def hold_too_much(story: Story) -> None:
    story.books.nights.append(replace(story.books.nights[0], night=date(2026, 6, 3)))


def hold_what_is_closed(story: Story) -> None:
    story.books.nights.append(replace(story.books.nights[0], night=date(2026, 7, 1), order_sn="CLOSED"))


def hold_for_nobody(story: Story) -> None:
    story.books.nights.append(replace(story.books.nights[0], night=date(2026, 7, 1), order_sn="NOBODY"))


def sell_a_night_twice(story: Story) -> None:
    story.books.nights.append(replace(story.books.nights[0], order_sn="UNKNOWN"))


def sell_a_bed_too_many(story: Story) -> None:
    story.books.nights[0] = replace(story.books.nights[0], place=1)


def leave_a_letter(story: Story) -> None:
    story.books.letters.append(LetterRow(topic="order.refund", subject="P2", state=0, error="", created_at=PLACED))


def forget_food(story: Story) -> None:
    story.change("CLOSED", need_food=1)


def skip_a_step(story: Story) -> None:
    story.books.events["PAID"].pop(0)


def repeat_a_step(story: Story) -> None:
    story.books.events["CLOSED"].append(story.books.events["CLOSED"][1])


def win_twice(story: Story) -> None:
    story.books.events["PAID"].append(event("PAID", TradeState.CANCELLED, after=2.1, reason=CloseReason.UNPAID_TIMEOUT))


@pytest.mark.parametrize(
    ("break_it", "kind", "sn"),
    [
        (drop_order, findings.LOST, "PAID"),
        (drop_cancellation, findings.LOST, "CANCELLED"),
        (drop_payment, findings.LOST, "P1"),
        (forget_money, findings.LOST, "P1"),
        (store_twice, findings.TOLD_OTHERWISE, "UNKNOWN"),
        (store_refused, findings.TOLD_OTHERWISE, "UNKNOWN"),
        (store_what_nobody_took, findings.TOLD_OTHERWISE, "UNKNOWN"),
        (invent, findings.TOLD_OTHERWISE, "UNKNOWN"),
        (other_price_than_told, findings.TOLD_OTHERWISE, "PAID"),
        (leave_open, findings.LEFT_OPEN, "UNKNOWN"),
        (close_late, findings.LATE, "CLOSED"),
        (close_early, findings.EARLY, "CLOSED"),
        (keep_late_money, findings.MONEY, "CLOSED"),
        (keep_money_twice, findings.MONEY, "PAID"),
        (pay_too_little, findings.MONEY, "PAID"),
        (return_money_of_the_paid, findings.MONEY, "PAID"),
        (return_without_a_record, findings.MONEY, "P2"),
        (return_twice, findings.MONEY, "P2"),
        (return_not, findings.MONEY, "P2"),
        (hold_too_little, findings.NIGHTS, "PAID"),
        (hold_too_much, findings.NIGHTS, "PAID"),
        (hold_what_is_closed, findings.NIGHTS, "CLOSED"),
        (hold_for_nobody, findings.NIGHTS, "NOBODY"),
        (sell_a_night_twice, findings.NIGHTS, f"homestay {LODGING.id}"),
        (sell_a_bed_too_many, findings.NIGHTS, f"homestay {LODGING.id}"),
        (leave_a_letter, findings.LETTER, "P2"),
        (forget_food, findings.PRICE, "CLOSED"),
        (skip_a_step, findings.HISTORY, "PAID"),
        (repeat_a_step, findings.HISTORY, "CLOSED"),
        (win_twice, findings.TWO_WINNERS, "PAID"),
    ],
)
def test_each_broken_promise_is_found(story: Story, break_it: Callable[[Story], None], kind: str, sn: str) -> None:
    break_it(story)
    assert (kind, sn) in story.found()


def test_money_and_letters_may_be_on_their_way_for_a_while(story: Story) -> None:
    keep_late_money(story)
    leave_a_letter(story)
    assert judge(story.books, story.ledger, bound=BOUND, patience=seconds(30)).findings == []
    story.books.letters[0] = replace(story.books.letters[0], state=2)
    patient = judge(story.books, story.ledger, bound=BOUND, patience=seconds(30))
    assert [(finding.kind, finding.sn) for finding in patient.findings] == [(findings.LETTER, "P2")]
    assert judge(story.books, story.ledger, bound=BOUND, patience=seconds(10)).counted(findings.MONEY) > 0


def test_an_outage_puts_the_promise_off_to_its_end_and_no_further(story: Story) -> None:
    before = (DUE - seconds(5), DUE - seconds(1))
    during = (DUE - seconds(1), DUE + seconds(0.6))
    after = (DUE + seconds(7), DUE + seconds(8))
    close_late(story)
    assert (findings.LATE, "CLOSED") in story.found(before, after)
    assert (findings.LATE, "CLOSED") not in story.found(before, during, after)
    leave_open(story)
    assert (findings.LEFT_OPEN, "UNKNOWN") in story.found(during)
    assert (findings.LEFT_OPEN, "UNKNOWN") not in story.found(during, (DUE + seconds(9), DUE + seconds(13)))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Traceback (most recent call last):\n  File x\nOSError: gone", TRACEBACK),
        ("order placed remark='Ring +86 139 5550 00000001 at the gate.'", LEAK),
        ("authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJqd3RVc2VySWQiOjd9.x", LEAK),
        ("key=the-secret", LEAK),
        ("code A1B2C3D4", LEAK),
    ],
)
def test_what_must_not_stand_in_a_log_is_found_once(tmp_path: Path, line: str, kind: str) -> None:
    log = tmp_path / "output.log"
    log.write_text("order placed sn=HSO20261126065200A1B2C3D4 total=71800\n")
    logs = Logs({"bff": log}, {"the-secret"})
    assert logs.findings({"A1B2C3D4"}) == []
    with log.open("a") as file:
        file.write(f"{line}\n")
    assert [finding.kind for finding in logs.findings({"A1B2C3D4"})] == [kind]
    assert logs.findings({"A1B2C3D4"}) == []
