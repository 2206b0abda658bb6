"""What `homestay run` says when it is ready: where to look, who one is, and a first operation to paste."""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

from bff import programs
from workers.settings import Settings

# Far enough ahead to be in the future everywhere.
FIRST_NIGHT: Final = timedelta(days=30)


def welcome(settings: Settings, port: int) -> None:
    """Prints it."""
    base = f"http://{settings.host}:{port}"
    lines = ["", f"homestay-bff is ready: {base}/graphql"]
    if settings.shows_graphiql:
        lines.append(f"GraphiQL:             {base}/graphiql")
    if settings.gives_tokens:
        token = programs.demo_token(settings)
        lines += [
            "",
            f"Token of guest {programs.DEMO_USER}, good for a day:",
            f"  {token}",
            "",
            "A first order, ready to paste into a shell:",
            f"  curl -s {base}/graphql -H 'Content-Type: application/json' \\",
            f"    -H 'Authorization: Bearer {token}' \\",
            f"    -d '{json.dumps({'query': first_operation(settings)})}'",
            "",
            f"Unpaid, it closes by itself after {timedelta(seconds=settings.pay_window)}.",
            "Pasted again it is refused, for then its nights are taken.",
            "To pay it: .venv/bin/homestay pay <sn>",
        ]
    typer.echo("\n".join([*lines, "Ctrl-C stops.", ""]))


def first_operation(settings: Settings) -> str:
    """An operation that works today: two nights, two guests, with food."""
    start = datetime.now(UTC).astimezone(settings.zone).date() + FIRST_NIGHT
    stay = f'homestayId: "1", liveStartDate: "{start}", liveEndDate: "{start + timedelta(days=2)}"'
    return (
        f"mutation {{ createHomestayOrder(input: {{{stay}, livePeopleNum: 2, needFood: true}}) "
        "{ order { sn tradeState payBefore orderTotalPrice { amount currency } } userErrors { code message } } }"
    )
