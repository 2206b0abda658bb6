"""Taking the nights of an order, all or none: the one protocol that whoever takes nights keeps to.

No place is sold twice: the table's primary key lets nobody. Between orders that were priced alike that says all, since
they take the lowest places. But a host may change how a homestay is sold while orders are on their way, and then a room
and a place in it have different keys. So

- who takes the whole room takes its place first, and looks next, by a statement that fails where anybody is in the way;
- who takes places looks first, and what was seen stays until the places are taken. Who finds the lowest place taken
  keeps it taken, and nobody gets the room meanwhile; who finds it free takes it, and the key decides.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.order import night_repository, nights
from domain.order.ports import Sold
from domain.order.pricing import Stay
from domain.order.states import SaleUnit
from domain.together import Together


async def take(together: Together, sold: Sold, stay: Stay, order_sn: str) -> None:
    """Takes the nights of a stay for an order, when what waits is sent.

    Sending it raises IntegrityError where somebody else took one of the places, or has a place in the room.

    Raises:
        DatesUnavailable: some nights have not enough free places.
    """
    if sold.sale_unit is SaleUnit.ROOM:
        places = nights.allot(sold, stay, {})
        await night_repository.hold_alone(together, stay.homestay_id, places, order_sn, start=stay.start, end=stay.end)
        return
    seen = await night_repository.lasting(together, stay.homestay_id, stay.start, stay.end)
    await night_repository.hold(together, stay.homestay_id, nights.allot(sold, stay, seen), order_sn)


async def check(connection: AsyncConnection, sold: Sold, stay: Stay) -> None:
    """Refuses a stay that can't be had by now.

    Raises:
        DatesUnavailable: some nights have not enough free places.
    """
    nights.allot(sold, stay, await night_repository.taken(connection, stay.homestay_id, stay.start, stay.end))
