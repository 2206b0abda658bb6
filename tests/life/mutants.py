"""The domain with one rule broken, each in a way that somebody could write by mistake."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import outbox
from domain.database import Database
from domain.order import closing, letters, pricing, repository, settling, states
from domain.order.closing import Closing, Outcome
from domain.order.models import Order
from domain.order.ports import Homestay, Payment
from domain.order.pricing import Quote, Stay
from domain.order.settling import Settling
from domain.order.states import SaleUnit, TradeState
from domain.order.transitions import Transitions
from tests.order.rows import ORDERS

Plant = Callable[[pytest.MonkeyPatch], None]
MUTANTS: Final[dict[str, Plant]] = {}

CANCELLED, WAIT_PAY, WAIT_USE, USED, REFUNDED, EXPIRED = TradeState


def _mutant(plant: Plant) -> Plant:
    MUTANTS[plant.__name__] = plant
    return plant


def _always(*_: Any, **__: Any) -> sa.ColumnElement[bool]:
    return sa.true()


async def _nothing(*_: Any, **__: Any) -> None:
    pass


@_mutant
def closes_before_its_time(patch: pytest.MonkeyPatch) -> None:
    sound = closing._standing_outcome

    def outcome(found: tuple[TradeState, bool, datetime | None] | None) -> Outcome:
        return sound(found and (found[0], True, found[2]))

    patch.setattr(closing, "_standing_outcome", outcome)
    patch.setattr(repository, "is_due_at", _always)


@_mutant
def moves_from_whatever_state_it_is_in(patch: pytest.MonkeyPatch) -> None:
    async def move(
        connection: AsyncConnection, sns: Sequence[str], *conditions: Any, to: TradeState, **named: Any
    ) -> int:
        moved = await connection.execute(
            sa.update(ORDERS)
            .where(ORDERS.c.sn.in_(sns), *conditions)
            .values(
                trade_state=to,
                close_reason=named["reason"],
                update_time=named["at"],
                version=ORDERS.c.version + 1,
                **named["changes"],
            )
        )
        return moved.rowcount

    patch.setattr(repository, "move", move)


@_mutant
def any_sum_pays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(repository, "costs", _always)


@_mutant
def late_money_is_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settling, "_uses", lambda *_: True)


@_mutant
def money_that_paid_goes_back_when_it_is_told_of_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settling, "_uses", lambda *_: False)


@_mutant
def a_refund_is_written_without_its_letter(patch: pytest.MonkeyPatch) -> None:
    sound = outbox.add

    async def add(connection: AsyncConnection, topic: str, posted: Mapping[str, Any], at: Any) -> None:
        if topic != letters.REFUND:
            await sound(connection, topic, posted, at)

    patch.setattr(outbox, "add", add)


@_mutant
def a_refund_is_asked_for_at_each_message(patch: pytest.MonkeyPatch) -> None:
    async def request_refund(self: Settling, payment: Payment) -> None:
        with suppress(IntegrityError):
            await self._database.write(lambda connection: repository.add_refund(connection, payment, self._now))
        await self._database.write(
            lambda connection: outbox.add(connection, letters.REFUND, letters.refund(payment), self._now)
        )

    patch.setattr(Settling, "_request_refund", request_refund)


@_mutant
def a_second_payment_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    sound = Settling.apply

    async def apply(self: Settling, sn: str, payments: Sequence[Payment]) -> None:
        await sound(self, sn, payments[:1])

    patch.setattr(Settling, "apply", apply)


@_mutant
def a_refund_is_not_marked_as_done(patch: pytest.MonkeyPatch) -> None:
    async def mark(*_: Any) -> bool:
        return True

    patch.setattr(Settling, "_mark_refunded", mark)


@_mutant
def any_refund_takes_the_stay_away(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(repository, "is_paid_by", _always)


@_mutant
def the_payment_that_paid_is_not_written_down(patch: pytest.MonkeyPatch) -> None:
    sound = Transitions.move

    async def move(self: Transitions, sn: str, *conditions: Any, payment_sn: str = "", **named: Any) -> bool:
        del payment_sn
        return await sound(self, sn, *conditions, **named)

    patch.setattr(Transitions, "move", move)


@_mutant
def a_closed_order_can_be_paid(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(states.MOVES, CANCELLED, frozenset({WAIT_USE}))


@_mutant
def a_used_order_can_be_refunded(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(states.MOVES, USED, frozenset({REFUNDED}))


@_mutant
def a_move_leaves_no_step_in_the_history(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(repository, "add_events", _nothing)


@_mutant
def it_closes_without_a_last_look(patch: pytest.MonkeyPatch) -> None:
    async def last_look(*_: Any) -> dict[str, list[Payment]]:
        return {}

    patch.setattr(Closing, "_last_look", last_look)


@_mutant
def it_stays_open_while_the_payment_service_is_away(patch: pytest.MonkeyPatch) -> None:
    async def last_look(self: Closing, sns: Sequence[str]) -> Mapping[str, Sequence[Payment]]:
        return await self._payments.of_orders(sns)

    patch.setattr(Closing, "_last_look", last_look)


@_mutant
def it_is_given_up_without_a_look_for_its_money(patch: pytest.MonkeyPatch) -> None:
    async def give_up(self: Closing, sn: str) -> bool:
        return await self._transitions.move(sn, current=WAIT_PAY, to=CANCELLED, reason=states.CloseReason.GUEST)

    patch.setattr(Closing, "give_up", give_up)


@_mutant
def a_stranger_can_have_it(patch: pytest.MonkeyPatch) -> None:
    sound = repository.find

    async def find(connection: AsyncConnection, sn: str, *, user_id: int | None = None) -> Order | None:
        del user_id
        return await sound(connection, sn)

    async def read_several(database: Database, wanted: Sequence[tuple[int, str]]) -> list[Order | None]:
        return [await database.read(lambda connection, sn=sn: sound(connection, sn)) for _, sn in wanted]  # type: ignore[misc]

    patch.setattr(repository, "find", find)
    patch.setattr(repository, "read_several", read_several)


def _misquoted(patch: pytest.MonkeyPatch, quote: Callable[[Homestay, Stay], Quote]) -> None:
    patch.setattr(pricing, "quote", quote)


@_mutant
def food_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    sound = pricing.quote
    _misquoted(patch, lambda homestay, stay: sound(homestay, replace(stay, food=False)))


@_mutant
def the_day_of_leaving_is_a_night(patch: pytest.MonkeyPatch) -> None:
    sound = pricing.quote
    _misquoted(patch, lambda homestay, stay: sound(homestay, replace(stay, end=stay.end + timedelta(days=1))))


@_mutant
def a_bed_is_sold_at_the_price_of_a_room(patch: pytest.MonkeyPatch) -> None:
    sound = pricing.quote
    _misquoted(patch, lambda homestay, stay: sound(replace(homestay, sale_unit=SaleUnit.ROOM), stay))
