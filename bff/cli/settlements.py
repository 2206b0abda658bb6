"""`homestay settlements`: what each homestay business earned in a month."""

import re
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Final

import typer

from bff.cli.terminal import Json, do, fail, read_settings, say, say_json, say_table
from workers.settings import ServiceSettings

_MONTH: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


def settlements(
    month: Annotated[str, typer.Option(help="The month in which the stays ended: 2026-10.")],
    business: Annotated[int | None, typer.Option(help="Only this homestay business.", min=0)] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show what each homestay business earned by the stays that ended in a month. In JSON, money is in fen."""
    from bff.cli import tasks  # noqa: PLC0415 -- the other commands need not wait for these

    match = _MONTH.fullmatch(month)
    if match is None:
        fail(f"--month: {month!r} is no month; expected for example 2026-10")
    first = date(int(match[1]), int(match[2]), 1)
    found = do(tasks.settlements(read_settings(ServiceSettings), first, business))
    if as_json:
        say_json([_json(each) for each in found])
        return
    if not found:
        say(f"nothing is settled for {month}; a business is, once the month is over and its stays of it are decided")
        return
    say_table(
        ("BUSINESS", "ORDERS", "NIGHTS", "HOMESTAY", "FOOD", "TOTAL", "SETTLED"),
        (
            (
                each.business_id,
                each.orders,
                each.nights,
                *map(_yuan, (each.homestay_total, each.food_total, each.total)),
                f"{each.settled_at:%Y-%m-%d %H:%M:%SZ}",
            )
            for each in found
        ),
    )


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02}"


def _json(settlement: Any) -> dict[str, Any]:  # noqa: ANN401 -- a Settlement, whose module need not be read for `--help`
    return asdict(settlement) | {"month": f"{settlement.month:%Y-%m}"}
