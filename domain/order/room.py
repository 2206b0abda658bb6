"""The order context, put together: its use cases over a database, a clock, and what it needs of others."""

from dataclasses import dataclass

from domain.clock import Clock
from domain.database import Database
from domain.order.closing import Closing
from domain.order.ports import CloseTimer, Payments, Travel
from domain.order.service import Orders, Rules
from domain.order.settlements import Settlements
from domain.order.settling import Settling
from domain.order.stays import Stays
from domain.order.transitions import Transitions


@dataclass(frozen=True, slots=True)
class OrderRoom:
    """What one can ask of orders."""

    database: Database
    clock: Clock
    orders: Orders
    closing: Closing
    settling: Settling
    transitions: Transitions
    stays: Stays
    settlements: Settlements
    payments: Payments


def assemble(
    database: Database,
    clock: Clock,
    rules: Rules,
    *,
    travel: Travel,
    payments: Payments,
    timer: CloseTimer,
    announces: bool = False,
) -> OrderRoom:
    """Returns the order context.

    Args:
        database: where orders are.
        clock: the present.
        rules: what the installation decides.
        travel: who knows homestays.
        payments: who knows payments.
        timer: who is told of each new order.
        announces: whether guests are told of each change.
    """
    transitions = Transitions(database, clock, announces=announces)
    settling = Settling(database, clock, payments, transitions)
    closing = Closing(database, clock, payments, transitions, settling)
    orders = Orders(database, clock, rules, closing, settling, travel=travel, payments=payments, timer=timer)
    stays = Stays(database, clock, rules.zone, transitions)
    settlements = Settlements(database, clock, rules.zone)
    return OrderRoom(database, clock, orders, closing, settling, transitions, stays, settlements, payments)
