"""What several fields of a request want is asked for once, and who leaves takes it from nobody."""

import asyncio

import pytest

from domain.errors import UpstreamUnavailable
from tests.bff.stand_in import StandIn, context_of, sn


async def test_a_payment_is_asked_for_once_however_many_fields_want_it() -> None:
    orders = StandIn(turns={"payment": 3})
    loaders = context_of(orders).loaders
    found = await asyncio.gather(*(loaders.payment(sn(number)) for number in (1, 2, 1)))
    assert [payment and payment.order_sn for payment in found] == [sn(1), sn(2), sn(1)]
    await loaders.payment(sn(1))
    assert orders.asked == [("payment", sn(1)), ("payment", sn(2))]


async def test_a_field_that_is_cancelled_leaves_the_payment_to_the_others() -> None:
    orders = StandIn(turns={"payment": 3})
    loaders = context_of(orders).loaders
    leaver, stayer = (asyncio.ensure_future(loaders.payment(sn(1))) for _ in range(2))
    await asyncio.sleep(0)
    leaver.cancel()
    assert await stayer is not None
    assert leaver.cancelled()
    assert orders.asked == [("payment", sn(1))]


async def test_a_payment_that_cant_be_asked_for_fails_each_field_and_no_other_order() -> None:
    orders = StandIn(broken={("payment", sn(1)): lambda: UpstreamUnavailable("payment", "the test says so")})
    loaders = context_of(orders).loaders
    for _ in range(2):
        with pytest.raises(UpstreamUnavailable):
            await loaders.payment(sn(1))
    assert await loaders.payment(sn(2)) is not None
    assert orders.asked == [("payment", sn(1)), ("payment", sn(2))]


async def test_what_comes_next_on_a_connection_that_stays_is_asked_for_anew() -> None:
    orders = StandIn()
    context = context_of(orders)
    await context.loaders.payment(sn(1))
    context.renew()
    await context.loaders.payment(sn(1))
    assert orders.asked == [("payment", sn(1))] * 2
