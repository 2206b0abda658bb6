"""The order context, put together: its use cases over a database, a clock, and what it needs of others."""

from dataclasses import dataclass

from domain.clock import Clock
from domain.database import Database
from domain.order.adoption import Adoption
from domain.order.closing import Closing
from domain.order.following import Following
from domain.order.idempotency import Idempotency
from domain.order.placing import Placing
from domain.order.ports import Changes, CloseTimer, FairUse, NoLimit, Payments, Travel
from domain.order.pricing import Rules
from domain.order.service import Orders
from domain.order.settlements import Settlements
from domain.order.settling import Settling
from domain.order.shown_homestays import ShownHomestays
from domain.order.stays import Stays
from domain.order.transitions import Transitions
from domain.order.watches import LocalChanges


@dataclass(frozen=True, slots=True)
class OrderRoom:
    """What one can ask of orders."""

    database: Database
    clock: Clock
    orders: Orders
    following: Following
    closing: Closing
    settling: Settling
    transitions: Transitions
    stays: Stays
    settlements: Settlements
    payments: Payments
    idempotency: Idempotency
    adoption: Adoption


def assemble(
    database: Database,
    clock: Clock,
    rules: Rules,
    *,
    travel: Travel,
    payments: Payments,
    timer: CloseTimer,
    fair_use: FairUse | None = None,
    announces: bool = False,
    changes: Changes | None = None,
    homestays_kept: float = 0,
) -> OrderRoom:
    """Returns the order context.

    Args:
        database: where orders are.
        clock: the present.
        rules: what the installation decides.
        travel: who knows homestays.
        payments: who knows payments.
        timer: who is told of each new order.
        fair_use: who sees to it that nobody takes too much of what is free; None sets no limit.
        announces: whether guests are told of each change.
        changes: who wakes those that follow an order; None where they are all here.
        homestays_kept: seconds for which a homestay is shown as the travel service told it.
    """
    changes = changes or LocalChanges()
    transitions = Transitions(database, clock, changes, announces=announces)
    settling = Settling(database, clock, payments, transitions)
    closing = Closing(database, clock, payments, transitions, settling)
    idempotency = Idempotency(database, clock)
    placing = Placing(database, clock, rules, idempotency)
    orders = Orders(
        database,
        clock,
        rules,
        closing=closing,
        settling=settling,
        placing=placing,
        idempotency=idempotency,
        travel=travel,
        shown=ShownHomestays(travel, kept=homestays_kept),
        payments=payments,
        timer=timer,
        fair_use=fair_use or NoLimit(),
    )
    stays = Stays(database, clock, rules.zone, transitions)
    settlements = Settlements(database, clock, rules.zone)
    adoption = Adoption(database, clock, rules.zone)
    return OrderRoom(
        database,
        clock,
        orders,
        Following(database, clock, changes),
        closing,
        settling,
        transitions,
        stays,
        settlements,
        payments,
        idempotency,
        adoption,
    )
