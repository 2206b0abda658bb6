"""The domain with one transaction cut in two, each in a way that somebody could write by mistake.

As long as nobody dies in between, all of these do what they should.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import outbox
from domain.order import holding, letters, night_repository, numbers, repository, states
from domain.order.holding import Taking
from domain.order.idempotency import Idempotency, Key
from domain.order.placing import Placed, Placing
from domain.order.ports import Payment
from domain.order.pricing import Offer
from domain.order.settling import Settling
from domain.order.states import PaymentStatus
from domain.order.transitions import Transitions
from domain.together import Together
from tests.life.bank import Bank

Plant = Callable[[pytest.MonkeyPatch], None]
MUTANTS: Final[dict[str, Plant]] = {}


def _mutant(plant: Plant) -> Plant:
    MUTANTS[plant.__name__] = plant
    return plant


async def _nothing(*_: Any, **__: Any) -> None:
    pass


async def _alone(placing: Placing, put: Callable[[Together], Awaitable[None]]) -> None:
    """What belongs to an order, in a transaction of its own."""

    async def work(connection: AsyncConnection) -> None:
        together = Together(connection)
        await put(together)
        await together.send()

    await placing._database.write(work)


@_mutant
def the_nights_are_taken_after_the_order(patch: pytest.MonkeyPatch) -> None:
    take, place = holding.take, Placing.place

    async def place_then_take(self: Placing, user_id: int, offer: Offer, key: Key | None = None) -> Placed:
        placed = await place(self, user_id, offer, key)
        if not placed.replayed:
            await _alone(self, lambda together: take(together, [Taking(offer.homestay, offer.stay, placed.order.sn)]))
        return placed

    patch.setattr(holding, "take", _nothing)
    patch.setattr(Placing, "place", place_then_take)


@_mutant
def the_nights_are_taken_before_the_order(patch: pytest.MonkeyPatch) -> None:
    take, place, draw = holding.take, Placing.place, numbers.order_sn

    async def take_then_place(self: Placing, user_id: int, offer: Offer, key: Key | None = None) -> Placed:
        sn = draw(self._clock.now(), self._rules.zone)
        await _alone(self, lambda together: take(together, [Taking(offer.homestay, offer.stay, sn)]))
        patch.setattr(numbers, "order_sn", lambda *_: sn)
        return await place(self, user_id, offer, key)

    patch.setattr(holding, "take", _nothing)
    patch.setattr(Placing, "place", take_then_place)


@_mutant
def the_key_is_kept_after_the_order(patch: pytest.MonkeyPatch) -> None:
    keep, place = Idempotency.keep, Placing.place

    async def place_then_keep(self: Placing, user_id: int, offer: Offer, key: Key | None = None) -> Placed:
        placed = await place(self, user_id, offer, key)
        if not placed.replayed:
            await _alone(self, lambda together: keep(self._idempotency, together, [(key, placed.order.sn)]))
        return placed

    patch.setattr(Idempotency, "keep", _nothing)
    patch.setattr(Placing, "place", place_then_keep)


@_mutant
def the_step_is_written_after_the_move(patch: pytest.MonkeyPatch) -> None:
    add_events, move_many = repository.add_events, Transitions.move_many

    async def move_then_write(self: Transitions, sns: Sequence[str], *conditions: Any, **named: Any) -> set[str]:
        moved = await move_many(self, sns, *conditions, **named)

        async def work(connection: AsyncConnection) -> None:
            await add_events(
                connection,
                sorted(moved),
                current=named["current"],
                to=named["to"],
                at=self._clock.sql_now(),
                reason=named.get("reason"),
            )

        if moved:
            await self._database.write(work)
        return moved

    patch.setattr(repository, "add_events", _nothing)
    patch.setattr(Transitions, "move_many", move_then_write)


@_mutant
def the_nights_are_freed_after_the_close(patch: pytest.MonkeyPatch) -> None:
    free, move_many = night_repository.free, Transitions.move_many

    async def move_then_free(self: Transitions, sns: Sequence[str], *conditions: Any, **named: Any) -> set[str]:
        moved = await move_many(self, sns, *conditions, **named)
        if moved and named["to"] in states.FREES:
            await self._database.write(lambda connection: free(connection, sorted(moved)))
        return moved

    patch.setattr(night_repository, "free", _nothing)
    patch.setattr(Transitions, "move_many", move_then_free)


@_mutant
def the_guest_is_told_after_the_move(patch: pytest.MonkeyPatch) -> None:
    move_many = Transitions.move_many

    async def move_then_tell(self: Transitions, sns: Sequence[str], *conditions: Any, **named: Any) -> set[str]:
        self._announces = False
        moved = await move_many(self, sns, *conditions, **named)
        told = letters.changed(sorted(moved), named["to"])
        if moved:
            await self._database.write(
                lambda connection: outbox.add(connection, letters.CHANGED, told, self._clock.sql_now())
            )
        return moved

    patch.setattr(Transitions, "move_many", move_then_tell)


@_mutant
def the_letter_is_written_after_the_refund(patch: pytest.MonkeyPatch) -> None:
    async def request_refund(self: Settling, payment: Payment) -> None:
        try:
            await self._database.write(lambda connection: repository.add_refund(connection, payment, self._now))
        except IntegrityError:
            return
        await self._database.write(
            lambda connection: outbox.add(connection, letters.REFUND, letters.refund(payment), self._now)
        )

    patch.setattr(Settling, "_request_refund", request_refund)


@_mutant
def the_letter_is_written_before_the_refund(patch: pytest.MonkeyPatch) -> None:
    async def request_refund(self: Settling, payment: Payment) -> None:
        posted = letters.refund(payment)
        await self._database.write(lambda connection: outbox.add(connection, letters.REFUND, posted, self._now))
        with suppress(IntegrityError):
            await self._database.write(lambda connection: repository.add_refund(connection, payment, self._now))

    patch.setattr(Settling, "_request_refund", request_refund)


@_mutant
def a_refund_is_marked_as_done_before_it_is_made(patch: pytest.MonkeyPatch) -> None:
    async def refund(self: Settling, payment_sn: str) -> None:
        order_sn = await self._database.read(lambda connection: repository.refund_due(connection, payment_sn))
        if order_sn is not None:
            await self._mark_refunded(payment_sn)
            await self._payments.refund(order_sn, payment_sn)

    patch.setattr(Settling, "refund", refund)


@_mutant
def the_payment_service_gives_back_as_often_as_it_is_asked(patch: pytest.MonkeyPatch) -> None:
    def give_back(self: Bank, payment_sn: str, *, asked: bool) -> None:
        self._books.execute(
            "update payment set status = ?, returns = returns + 1, asked_back = ? where id = ?",
            (PaymentStatus.REFUNDED, asked, int(payment_sn[-8:])),
        )

    patch.setattr(Bank, "_give_back", give_back)
