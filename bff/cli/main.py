"""`homestay`: the command line for people who run, try and look after the product."""

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer

from bff.cli import dead_letters, progress, settlements
from bff.cli import settings as settings_command
from bff.cli.terminal import Json, do, edge_at, fail, lesson, read_settings, say, say_json, serve
from workers.settings import (
    PREFIX,
    EdgeSettings,
    MigrationSettings,
    ServiceSettings,
    SettingsError,
    WorkerSettings,
    settings,
)

app: Final = typer.Typer(
    help="Homestay orders: a GraphQL edge, a worker that closes what is not paid, reference services to try it with.",
    epilog=lesson("homestay run", not_so="refused, not there, or not so"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Seconds of a duration's unit.
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([smhd]?)")

Sn = Annotated[str, typer.Argument(help="The order's number, HSO…")]


def main() -> None:
    """The console script: what the user can mend is said on standard error, a line for each thing, with exit code 2."""
    try:
        app()
    except SettingsError as error:
        fail(str(error))


@app.command(epilog=lesson("HOMESTAY_PORT=8080 homestay run"))
def run() -> None:
    """Serve the whole product from one process; what has no address is served from inside."""
    found = read_settings()
    from bff import programs  # noqa: PLC0415 -- the other commands need not wait for these
    from bff.cli import greeting  # noqa: PLC0415 -- the other commands need not wait for these

    serve(programs.run_all(found, lambda http: greeting.welcome(found, http.port)), "homestay")


@app.command(epilog=lesson("HOMESTAY_BROKER_URL=redis://127.0.0.1 homestay bff"))
def bff() -> None:
    """Serve the GraphQL edge, by as many processes as HOMESTAY_PROCESSES says."""
    found = read_settings(EdgeSettings)
    if found.processes > 1:
        from bff.cli import several  # noqa: PLC0415 -- the parent serves nobody, and needs little

        several.run(found)
        return
    from bff import programs  # noqa: PLC0415

    serve(programs.run_bff(found, lambda http: say(edge_at(found, http.port))), "homestay-bff")


@app.command("bff-process", hidden=True)
def bff_process(number: int, of: int, port: int, directory: Path) -> None:
    """Serve the GraphQL edge as one process of several; for `homestay bff`, which starts them."""
    found = read_settings(EdgeSettings)
    from bff import programs  # noqa: PLC0415
    from bff.processes.seat import Seat  # noqa: PLC0415

    structlog.contextvars.bind_contextvars(process=number)
    serve(programs.run_bff(found, lambda _: None, Seat(number, of, port, directory)), "homestay-bff")


@app.command(epilog=lesson("HOMESTAY_BROKER_URL=redis://127.0.0.1 homestay worker --threads 16"))
def worker(
    processes: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 1,
    threads: Annotated[int, typer.Option(help="Messages at once in each.", min=1)] = 32,
) -> None:
    """Run the dramatiq worker: `dramatiq workers.actors` with our defaults."""
    if not settings(WorkerSettings).broker_url:
        fail(f"{PREFIX}BROKER_URL: a worker of its own needs a broker that processes share (`homestay run` has one)")
    command = [sys.executable, "-m", "dramatiq", "workers.actors", "--skip-logging"]
    command += ["--processes", str(processes), "--threads", str(threads), "--worker-shutdown-timeout", "12000"]
    # dramatiq forks its workers before it imports anything of ours; so it must be the program, not a call.
    os.execv(sys.executable, command)  # noqa: S606 -- our own command line


@app.command("order-rpc", epilog=lesson("homestay order-rpc"))
def order_rpc() -> None:
    """Serve the order gRPC service."""
    found = read_settings(ServiceSettings)
    from bff import programs  # noqa: PLC0415

    serve(programs.run_order_rpc(found, lambda server: say(f"order service on {server.address}")), "homestay-order-rpc")


@app.command("travel-rpc", epilog=lesson("homestay travel-rpc"))
def travel_rpc() -> None:
    """Serve the reference travel service, with a demo catalogue."""
    found = read_settings(ServiceSettings)
    from bff import programs  # noqa: PLC0415

    serve(
        programs.run_travel_rpc(found, lambda server: say(f"travel service on {server.address}")), "homestay-travel-rpc"
    )


@app.command("payment-rpc", epilog=lesson("homestay payment-rpc"))
def payment_rpc() -> None:
    """Serve the reference payment service."""
    found = read_settings(ServiceSettings)
    from bff import programs  # noqa: PLC0415

    serve(
        programs.run_payment_rpc(found, lambda server: say(f"payment service on {server.address}")),
        "homestay-payment-rpc",
    )


@app.command(epilog=lesson("homestay sweep --once"))
def sweep(
    once: Annotated[bool, typer.Option("--once", help="Sweep once and end, for cron.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Close what is overdue and return money that is due; runs inside every worker too."""
    from bff.cli import tasks  # noqa: PLC0415

    if not once:
        fail("every worker sweeps by itself; `homestay sweep --once` makes one sweep now")
    found = read_settings(WorkerSettings)
    with progress.shown() as tell:
        swept = do(tasks.sweep(found, tell))
    if as_json:
        say_json({"overdue": swept.overdue, "closed": swept.closed})
    else:
        say(f"overdue {swept.overdue}, closed {swept.closed}")


@app.command(epilog=lesson("homestay migrate --json"))
def migrate(as_json: Json = False) -> None:  # noqa: FBT002
    """Bring the database's tables up to date, and give orders of the existing system their nights."""
    from bff.cli import tasks  # noqa: PLC0415

    found = read_settings(MigrationSettings)
    with progress.shown() as tell:
        migrated = do(tasks.migrate(found, tell))
    if as_json:
        say_json(migrated.as_json())
    else:
        say(migrated.as_text())


@app.command(epilog=lesson("homestay token --user 7 --ttl 7d"))
def token(
    user: Annotated[int, typer.Option(help="The guest's number.", min=1)],
    ttl: Annotated[str, typer.Option(help="How long it is good for: 90s, 30m, 1h, 7d.")] = "1h",
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Print a bearer token; with the development key only, unless HOMESTAY_JWT_SECRET is given."""
    from bff.identity.tokens import Tokens  # noqa: PLC0415

    match = _DURATION.fullmatch(ttl)
    if match is None:
        fail(f"--ttl: {ttl!r} is no duration; expected for example 90s, 30m, 1h or 7d")
    found = settings(EdgeSettings)
    if not found.key:
        fail(f"{PREFIX}JWT_SECRET: tokens are signed by others here ({PREFIX}JWT_JWKS_URL), unless this is set too")
    good_for = timedelta(seconds=int(match[1]) * _UNITS[match[2] or "s"])
    try:
        # Whole seconds, as the token has it; never later than it says.
        expires_at = datetime.now(UTC).replace(microsecond=0) + good_for
    except OverflowError:
        fail(f"--ttl: {ttl} is longer than there are dates")
    signed = Tokens.of(found).sign(user, good_for)
    if as_json:
        say_json({"token": signed, "user": user, "expires_at": expires_at})
    else:
        say(signed)


@app.command(
    epilog=lesson("homestay pay HSO202611240317330W0MNS9K", not_so="there is no such order, or nothing is to be paid")
)
def pay(sn: Sn, as_json: Json = False) -> None:  # noqa: FBT002
    """Play the payment provider: confirm the order's open payment (and open it, where the guest has not)."""
    from bff.cli import tasks  # noqa: PLC0415

    played = do(tasks.pay(read_settings(ServiceSettings), sn))
    if as_json:
        say_json(played.as_json())
    else:
        say(f"payment {played.payment_sn} confirmed; the order is {played.trade_state.name}")


@app.command(
    epilog=lesson(
        "homestay refund HSO202611240317330W0MNS9K", not_so="there is no such order, or no money of it to return"
    )
)
def refund(sn: Sn, as_json: Json = False) -> None:  # noqa: FBT002
    """Play the payment provider: return the order's money."""
    from bff.cli import tasks  # noqa: PLC0415

    played = do(tasks.refund(read_settings(ServiceSettings), sn))
    if as_json:
        say_json(played.as_json())
    else:
        say(f"payment {played.payment_sn} returned; the order is {played.trade_state.name}")


@app.command(epilog=lesson("homestay schema > schema.graphql"))
def schema() -> None:
    """Print the GraphQL schema (SDL)."""
    from bff.graph.sdl import print_sdl  # noqa: PLC0415

    typer.echo(print_sdl(), nl=False)


app.command("settings", epilog=lesson("homestay settings --json"))(settings_command.settings)
app.command("settlements", epilog=lesson("homestay settlements --month 2026-10"))(settlements.settlements)
app.add_typer(dead_letters.app, name="dead-letters")
