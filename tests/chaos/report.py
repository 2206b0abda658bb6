"""The table at the end of a long run, and where the last one is kept."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from tests.chaos.campaign import Campaign
from tests.chaos.findings import (
    EARLY,
    FOREIGN,
    HISTORY,
    LATE,
    LEAK,
    LEFT_OPEN,
    LETTER,
    LOST,
    MONEY,
    NIGHTS,
    PRICE,
    PROCESS,
    TOLD_OTHERWISE,
    TRACEBACK,
    TWO_WINNERS,
)
from tests.chaos.ledger import Outcome

HEADING: Final = "## The last long run"


def table(columns: Sequence[tuple[str, Campaign]]) -> str:
    """The figures of each campaign, in Markdown."""
    figures = [_figures(campaign) for _, campaign in columns]
    lines = [["", *(name for name, _ in columns)], ["---", *("---:" for _ in columns)]]
    lines += [[name, *(figure[name] for figure in figures)] for name in figures[0]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _figures(campaign: Campaign) -> dict[str, str]:
    ledger, totals = campaign.ledger, campaign.totals
    told = {outcome: str(ledger.counted(outcome)) for outcome in Outcome}
    return {
        "rounds": str(totals.rounds),
        "orders acknowledged": told[Outcome.ACKNOWLEDGED],
        "outcome unknown to the guest": told[Outcome.UNKNOWN],
        "refused": told[Outcome.REFUSED],
        "nobody there": told[Outcome.UNREACHED],
        "lost (I1)": str(totals.counted(LOST)),
        "not as told (I1)": str(totals.counted(TOLD_OTHERWISE)),
        "left open (I2)": str(totals.counted(LEFT_OPEN)),
        "closed too late (I2)": str(totals.counted(LATE)),
        "closed early (I2)": str(totals.counted(EARLY)),
        "money kept or returned wrongly (I3)": str(totals.counted(MONEY)),
        "nights held wrongly (I4)": str(totals.counted(NIGHTS)),
        "wrong prices (I5)": str(totals.counted(PRICE)),
        "shown to strangers (I6)": str(totals.counted(FOREIGN)),
        "double winners (I7)": str(totals.counted(TWO_WINNERS)),
        "broken histories (I7)": str(totals.counted(HISTORY)),
        "tracebacks (I8)": str(totals.counted(TRACEBACK)),
        "leaks (I8)": str(totals.counted(LEAK)),
        "letters not delivered": str(totals.counted(LETTER)),
        "programs that died or would not stop": str(totals.counted(PROCESS)),
        "worst lateness": _seconds(totals.verdict.lateness),
        "refunds due": str(totals.verdict.refunds_due),
        "refunds made": str(totals.verdict.refunds_made),
        "slowest refund": _seconds(totals.verdict.slowest_refund),
        "paid in time, closed all the same, money back": str(totals.verdict.paid_in_vain),
        "database back to first order, worst": _seconds(max(totals.recoveries)) if totals.recoveries else "-",
    }


def _seconds(time: timedelta) -> str:
    return "never" if time == timedelta.max else f"{time.total_seconds():.2f} s"


def write(page: Path, text: str) -> None:
    """Puts the text in the place of the last one: under its heading, to the end of the page."""
    kept, heading, _ = page.read_text(encoding="utf-8").partition(HEADING)
    if not heading:
        raise ValueError(f"{page} has no heading {HEADING!r}")
    page.write_text(f"{kept}{heading}\n\n{text}", encoding="utf-8")
