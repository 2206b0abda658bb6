"""The periodic jobs of this product: what is to be done again and again, how often, and within what time."""

import os
import secrets
import socket
from datetime import date, timedelta
from typing import Final

from domain.order.reconciling import Reconciling
from domain.order.room import OrderRoom
from domain.outbox import Outbox
from workers.scheduler import Job

# Delivered letters are kept for as long as somebody may want to know whether one was.
LETTERS_KEPT: Final = timedelta(days=7)


def jobs(room: OrderRoom) -> list[Job]:
    """Returns the jobs; a `Scheduler` does them, in any number of processes."""
    reconciling = Reconciling(room.database, room.clock, room.payments, room.settling.settle)
    outbox = Outbox(room.database, room.clock)

    async def end_stays(_: str) -> None:
        await room.stays.end_stays()

    async def settle_months(note: str) -> str:
        settled = await room.settlements.settle(_month(note))
        return "" if settled is None else settled.isoformat()

    async def purge(_: str) -> None:
        # Whatever else is kept for a time only, is forgotten here.
        await outbox.purge(older_than=LETTERS_KEPT)
        await room.idempotency.purge()

    return [
        Job("payment.reconcile", every=timedelta(minutes=1), limit=timedelta(seconds=50), work=reconciling.run),
        Job("order.end_stays", every=timedelta(minutes=10), limit=timedelta(minutes=2), work=end_stays),
        Job("order.settle_months", every=timedelta(hours=1), limit=timedelta(minutes=5), work=settle_months),
        Job("order.adopt", every=timedelta(minutes=5), limit=timedelta(minutes=2), work=room.adoption.go_on),
        Job("purge", every=timedelta(hours=1), limit=timedelta(minutes=2), work=purge),
    ]


def _month(note: str) -> date | None:
    """The month up to which all is settled; what is no date, nobody noted."""
    try:
        return date.fromisoformat(note)
    except ValueError:
        return None


def holder() -> str:
    """A name for this process among those that share the jobs, which no other has."""
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"
