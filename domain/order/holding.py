"""Taking the nights of an order, all or none: the one protocol that whoever takes nights keeps to.

No place is sold twice: the table's primary key lets nobody. Between orders that were priced alike that says all, since
they take the lowest places. But a host may change how a homestay is sold while orders are on their way, and then a room
and a place in it have different keys. So

- who takes the whole room takes its place first, and looks next, by a statement that fails where anybody is in the way;
- who takes places looks first, and what was seen stays until the places are taken. Who finds the lowest place taken
  keeps it taken, and nobody gets the room meanwhile; who finds it free takes it, and the key decides.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.order import night_repository, nights
from domain.order.ports import Sold
from domain.order.pricing import Stay
from domain.order.states import SaleUnit
from domain.together import Together


class Taking(NamedTuple):
    """What an order takes: the nights of a stay in a homestay that is sold so."""

    sold: Sold
    stay: Stay
    order_sn: str


async def take(together: Together, takings: Sequence[Taking]) -> None:
    """Takes the nights of orders, when what waits is sent.

    Sending it raises IntegrityError where somebody else took one of the places, or has a place in a room.

    Args:
        together: the transaction.
        takings: one; or several that have no night in common, all of them of whole rooms.

    Raises:
        DatesUnavailable: some nights have not enough free places.
    """
    if all(taking.sold.sale_unit is SaleUnit.ROOM for taking in takings):
        await night_repository.hold_alone(
            together,
            [(stay.homestay_id, place, sn) for sold, stay, sn in takings for place in nights.allot(sold, stay, {})],
            [(stay.homestay_id, stay.start, stay.end) for _, stay, _ in takings],
        )
        return
    ((sold, stay, order_sn),) = takings
    seen = await night_repository.lasting(together, stay.homestay_id, stay.start, stay.end)
    places = nights.allot(sold, stay, seen)
    await night_repository.hold(together, [(stay.homestay_id, place, order_sn) for place in places])


async def check(connection: AsyncConnection, sold: Sold, stay: Stay) -> None:
    """Refuses a stay that can't be had by now.

    Raises:
        DatesUnavailable: some nights have not enough free places.
    """
    nights.allot(sold, stay, await night_repository.taken(connection, stay.homestay_id, stay.start, stay.end))
