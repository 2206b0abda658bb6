"""Round after round: guests come, something breaks, all is quiet again, and the judge reads the tables."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from tests.chaos import invariants
from tests.chaos.books import Books
from tests.chaos.faults import Blow
from tests.chaos.findings import LEAK, PROCESS, Finding, Verdict
from tests.chaos.ledger import Ledger, Outcome
from tests.chaos.logs import Logs
from tests.chaos.sites import BOUND, KEY, PAY_WINDOW, Site
from tests.chaos.strangers import spy
from tests.chaos.traffic import Traffic

# Seconds of traffic before each stroke, and after the last one.
_BEFORE: Final = (0.3, 1.0)
_AFTER: Final = 1.0
# Seconds between two looks whether all is quiet.
_LOOK: Final = 0.2
# A killed worker's letters are others' after 30 s, its jobs after 60 s, and payments whose message a wiped Redis lost
# are looked for every minute. Each may meet the next.
MONEY_BOUND: Final = timedelta(seconds=180)

Choice = Callable[[Random], Sequence[Blow]]


@dataclass(slots=True)
class Totals:
    """The figures of a whole run, and all that was found.

    Attributes:
        verdict: the judge's last one, on all orders of the run.
        findings: each broken promise, once.
        recoveries: from the moment that a killed database answered again to the first order acknowledged.
    """

    rounds: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    findings: list[Finding] = field(default_factory=list)
    recoveries: list[timedelta] = field(default_factory=list)

    def counted(self, *kinds: str) -> int:
        """How many findings are of these kinds."""
        return sum(finding.kind in kinds for finding in self.findings)


class Campaign:
    """Many rounds on one installation.

    Args:
        site: the installation, running.
        seed: what the choices are drawn from.
        report: told of each round, in one line.
    """

    def __init__(self, site: Site, *, seed: int, report: Callable[[str], None] = lambda _: None) -> None:
        self._site = site
        self._seed = seed
        self._report = report
        self._logs = Logs(site.logs(), {KEY})
        self._reader = site.reader
        self._told: set[tuple[str, str]] = set()
        self.ledger = Ledger()
        self.totals = Totals()

    async def round(self, choose: Choice, *, bound: timedelta = BOUND) -> list[Finding]:
        """Plays one round and returns what is found that was not found before.

        Args:
            choose: what is broken in it.
            bound: how long after it is due an order may stay open.
        """
        number = self.totals.rounds + 1
        random = Random(f"{self._seed}/{number}")  # noqa: S311 -- to be repeated, not to be secret
        blows = choose(random)
        placed, returned = len(self.ledger.attempts), len(self._site.returned)
        await self._play(blows, random)
        await self._wait(self._reader.open_orders, timedelta(seconds=PAY_WINDOW) + bound)
        found = await self._judged(bound=bound, patience=MONEY_BOUND) + await self._overheard(placed, random)
        self.totals.rounds = number
        self._note_recoveries(returned)
        self._report(self._line(number, blows, placed, found))
        return found

    async def settle(self) -> list[Finding]:
        """Waits until all money is where it belongs and every letter delivered, and returns what is then found."""
        await self._wait(self._reader.unsettled, MONEY_BOUND)
        found = await self._judged(bound=BOUND, patience=timedelta())
        self._report(f"settled: {f'{len(found)} FINDINGS' if found else 'all kept'}")
        return found

    def evidence(self, finding: Finding) -> list[str]:
        """What the tables and the logs say of an order or payment."""
        books, sn = self._reader.read(), finding.sn
        lines = [f"row: {order}" for order in books.orders if order.sn == sn]
        lines += [f"step: {event}" for event in books.events.get(sn, [])]
        lines += [f"payment: {payment}" for payment in books.payments if sn in {payment.sn, payment.order_sn}]
        lines += [f"refund: {refund}" for refund in books.refunds if sn in {refund.payment_sn, refund.order_sn}]
        return lines + [f"log of {line}" for line in self._logs.about(sn)]

    async def _play(self, blows: Sequence[Blow], random: Random) -> None:
        closed = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Traffic(self._site, self.ledger, random).run(closed))
            try:
                for blow in blows:
                    await asyncio.sleep(random.uniform(*_BEFORE))
                    await asyncio.to_thread(blow.strike, self._site)
                await asyncio.sleep(_AFTER)
            finally:
                closed.set()
        await asyncio.to_thread(self._site.raise_the_dead)

    async def _wait(self, left: Callable[[], int], within: timedelta) -> None:
        """Waits until nothing is left to do, or should have been done."""
        until = datetime.now(UTC) + within
        while datetime.now(UTC) < until:
            if not await asyncio.to_thread(left):
                return
            await asyncio.sleep(_LOOK)

    async def _judged(self, *, bound: timedelta, patience: timedelta) -> list[Finding]:
        books: Books = await asyncio.to_thread(self._reader.read)
        verdict = invariants.judge(books, self.ledger, bound=bound, outages=self._site.outages, patience=patience)
        self.totals.verdict = verdict
        # What is wrong stays wrong; it is told once.
        new = [finding for finding in verdict.findings if (finding.kind, finding.sn) not in self._told]
        self._told |= {(finding.kind, finding.sn) for finding in new}
        codes = {order.trade_code for order in books.orders}
        found = new + await asyncio.to_thread(self._logs.findings, codes)
        self.totals.findings += found
        return found

    async def _overheard(self, placed: int, random: Random) -> list[Finding]:
        """What clients were told that they should not have been, and programs that did not do as they were told."""
        acknowledged = [attempt for attempt in self.ledger.attempts[placed:] if attempt.outcome is Outcome.ACKNOWLEDGED]
        found = await spy(self._site, self.ledger, acknowledged, random)
        found += [Finding(LEAK, "an answer", leak) for leak in self.ledger.leaks]
        found += [Finding(PROCESS, name, what) for name, what in self._site.complaints]
        self.ledger.leaks.clear()
        self._site.complaints.clear()
        self.totals.findings += found
        return found

    def _note_recoveries(self, returned: int) -> None:
        for name, at in self._site.returned[returned:]:
            if name == "mariadb":
                after = (success - at for success in self.ledger.successes if success > at)
                self.totals.recoveries.append(min(after, default=timedelta.max))

    def _line(self, number: int, blows: Sequence[Blow], placed: int, found: Sequence[Finding]) -> str:
        outcomes = [attempt.outcome for attempt in self.ledger.attempts[placed:]]
        told = ", ".join(f"{outcomes.count(outcome)} {outcome.value}" for outcome in Outcome)
        struck = ", then ".join(map(str, blows)) or "nothing"
        return f"round {number}: {struck}: {told}: {f'{len(found)} FINDINGS' if found else 'all kept'}"
