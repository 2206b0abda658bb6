"""Guests: each places an order and lives one of the lives that an order can have, whatever breaks meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import httpx

from domain import rpc
from domain.order.states import PaymentStatus, TradeState
from tests.chaos import client
from tests.chaos.client import Answer
from tests.chaos.ledger import Attempt, Ledger, Opened, Outcome
from tests.chaos.lodgings import LODGINGS, POPULAR
from tests.chaos.provider import Provider
from tests.chaos.sites import Site

# Guests who place orders at once, and the seconds that each takes on average before the next one: what two cores
# bear beside the programs that they are to serve.
_AT_ONCE: Final = 6
_THINKING: Final = 0.25
# The same, of a guest who found the door closed.
_CLOSED: Final = 0.75
# Seconds between a tap that nobody answered and the next one, and taps until a guest gives up.
_AGAIN: Final = 0.2
_TAPS: Final = 8


class Traffic:
    """The guests of one round."""

    def __init__(self, site: Site, ledger: Ledger, random: Random) -> None:
        self._site = site
        self._ledger = ledger
        self._random = random
        self._lives: list[tuple[Callable[[Attempt], Awaitable[None]], int]] = [
            (self._never_pays, 3),
            (self._cancels, 2),
            (self._pays, 5),
            (self._pays_at_the_bell, 3),
            (self._pays_late, 3),
            (self._fails_to_pay, 1),
            (self._pays_the_second_time, 1),
            (self._pays_twice, 1),
            (self._cancels_while_paying, 2),
        ]

    async def run(self, closed: asyncio.Event) -> None:
        """Lets guests come until `closed`, and the last of them live to the end."""
        async with client.device() as http, rpc.channel(self._site.payment_address) as channel:
            self._http: httpx.AsyncClient = http
            self._provider = Provider(channel, self._ledger)
            async with asyncio.TaskGroup() as lives:
                for _ in range(_AT_ONCE):
                    lives.create_task(self._guests(closed, lives))

    async def _guests(self, closed: asyncio.Event, lives: asyncio.TaskGroup) -> None:
        while not closed.is_set():
            attempt = await self._place()
            if attempt.outcome is Outcome.ACKNOWLEDGED:
                choices, weights = zip(*self._lives, strict=True)
                (life,) = self._random.choices(choices, weights)
                lives.create_task(life(attempt))
            pause = _CLOSED if attempt.outcome is Outcome.UNREACHED else _THINKING
            await asyncio.sleep(self._random.expovariate(1 / pause))

    async def _place(self) -> Attempt:
        attempt = self._wish()
        wanted = {
            "homestayId": str(attempt.lodging.id),
            "liveStartDate": str(attempt.start),
            "liveEndDate": str(attempt.end),
            "livePeopleNum": attempt.people,
            "needFood": attempt.food,
            "remark": attempt.remark,
        }
        # Half of the devices know that a key makes a second tap safe; the others send once and wonder.
        if self._random.random() < 0.5:
            answer = await self._insist(
                attempt, client.PLACE, {"input": wanted | {"idempotencyKey": f"once-{attempt.user}"}}
            )
        else:
            answer = await self._ask(attempt, client.PLACE, {"input": wanted})
        attempt.outcome = answer.outcome
        if answer.outcome is Outcome.ACKNOWLEDGED and answer.payload is not None:
            order = answer.payload["order"]
            attempt.sn = order["sn"]
            attempt.total = order["orderTotalPrice"]["amountMinor"]
            attempt.pay_before = datetime.fromisoformat(order["payBefore"])
            self._ledger.successes.append(datetime.now(UTC))
            if order["tradeCode"] is not None:
                self._ledger.leaks.append(f"the check-in code of {attempt.sn}, which is not paid")
        return attempt

    def _wish(self) -> Attempt:
        random = self._random
        popular = random.random() < 0.2
        lodging = random.choice(POPULAR if popular else LODGINGS)
        start = datetime.now(UTC).date() + timedelta(days=random.randint(2, 6) if popular else random.randint(2, 600))
        end = start + timedelta(days=random.randint(1, 5))
        people = random.randint(1, lodging.capacity)
        return self._ledger.attempt(lodging, start, end, people=people, food=random.random() < 0.5)

    async def _never_pays(self, attempt: Attempt) -> None:
        await self._open_payment(attempt)

    async def _cancels(self, attempt: Attempt) -> None:
        await asyncio.sleep(self._random.uniform(0, 1))
        await self._cancel(attempt)

    async def _pays(self, attempt: Attempt) -> None:
        sn = await self._open_payment(attempt)
        await asyncio.sleep(self._random.uniform(0, 1))
        await self._tell(sn, PaymentStatus.SUCCESS)
        if self._random.random() < 0.5:
            await self._tell(sn, PaymentStatus.SUCCESS)
        await self._look(attempt)

    async def _pays_at_the_bell(self, attempt: Attempt) -> None:
        sn = await self._open_payment(attempt)
        await self._until_due(attempt, self._random.uniform(-0.2, 0.4))
        await self._tell(sn, PaymentStatus.SUCCESS)
        await self._look(attempt)

    async def _pays_late(self, attempt: Attempt) -> None:
        sn = await self._open_payment(attempt)
        await self._until_due(attempt, self._random.uniform(0.4, 2))
        await self._tell(sn, PaymentStatus.SUCCESS)
        if self._random.random() < 0.5:
            await self._tell(sn, PaymentStatus.SUCCESS)

    async def _fails_to_pay(self, attempt: Attempt) -> None:
        await self._tell(await self._open_payment(attempt), PaymentStatus.FAILED)

    async def _pays_the_second_time(self, attempt: Attempt) -> None:
        await self._fails_to_pay(attempt)
        await self._tell(await self._open_payment(attempt), PaymentStatus.SUCCESS)
        await self._look(attempt)

    async def _pays_twice(self, attempt: Attempt) -> None:
        """The first payment fails, the second succeeds, and then the first one does as well."""
        first = await self._open_payment(attempt)
        await self._tell(first, PaymentStatus.FAILED)
        second = await self._open_payment(attempt)
        await self._tell(second, PaymentStatus.SUCCESS)
        if second is not None:
            await self._tell(first, PaymentStatus.SUCCESS)

    async def _cancels_while_paying(self, attempt: Attempt) -> None:
        sn = await self._open_payment(attempt)
        await asyncio.gather(self._tell(sn, PaymentStatus.SUCCESS), self._cancel(attempt))
        await self._look(attempt)

    async def _open_payment(self, attempt: Attempt) -> str | None:
        answer = await self._insist(attempt, client.PAY, {"sn": attempt.sn})
        if answer.outcome is not Outcome.ACKNOWLEDGED or answer.payload is None:
            return None
        payment = answer.payload["payment"]
        sn: str = payment["sn"]
        self._ledger.opened[sn] = Opened(attempt.sn, payment["payTotal"]["amountMinor"])
        return sn

    async def _cancel(self, attempt: Attempt) -> None:
        answer = await self._insist(attempt, client.CANCEL, {"sn": attempt.sn})
        if answer.outcome is Outcome.ACKNOWLEDGED:
            self._ledger.given_up.add(attempt.sn)

    async def _look(self, attempt: Attempt) -> None:
        """Opens the order once; what it says there it must never take back."""
        answer = await self._ask(attempt, client.DETAIL, {"sn": attempt.sn})
        if answer.outcome is not Outcome.ACKNOWLEDGED:
            return
        order = answer.payload or {}
        paid = order.get("tradeState") == TradeState.WAIT_USE.name
        if paid:
            self._ledger.seen_paid.add(attempt.sn)
        if order.get("sn") != attempt.sn or paid != (order.get("tradeCode") is not None):
            self._ledger.leaks.append(f"asked for {attempt.sn}, answered was {order}")

    async def _tell(self, payment_sn: str | None, status: PaymentStatus) -> None:
        if payment_sn is not None:
            await self._provider.tell(payment_sn, status)

    async def _until_due(self, attempt: Attempt, more: float) -> None:
        if attempt.pay_before is not None:
            left = (attempt.pay_before - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(max(0, left + more))

    async def _insist(self, attempt: Attempt, query: str, variables: dict[str, Any]) -> Answer:
        """Taps until somebody answers, where a second tap does no harm."""
        heard = False
        for _ in range(_TAPS):
            answer = await self._ask(attempt, query, variables)
            if answer.outcome is Outcome.ACKNOWLEDGED or (answer.outcome is Outcome.REFUSED and not heard):
                return answer
            # What is refused after a tap that may have been heard says nothing of that tap.
            heard |= answer.outcome is not Outcome.UNREACHED
            if answer.outcome is Outcome.REFUSED:
                break
            await asyncio.sleep(_AGAIN)
        return Answer(Outcome.UNKNOWN if heard else Outcome.UNREACHED)

    async def _ask(self, attempt: Attempt, query: str, variables: dict[str, Any]) -> Answer:
        token = self._site.token(attempt.user)
        return await client.ask(self._http, self._site.graphql_url, query, variables, token=token, ledger=self._ledger)
