"""`homestay`: the command line for people who run, try and look after the product."""

import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer

from bff.cli import dead_letters, settlements
from bff.cli.terminal import do, edge_at, fail, read_settings, say, serve
from workers.settings import PREFIX, SettingsError, settings

app: Final = typer.Typer(
    help="Homestay orders: a GraphQL edge, a worker that closes what is not paid, reference services to try it with.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Seconds of a duration's unit.
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([smhd]?)")

Sn = Annotated[str, typer.Argument(help="The order's number, HSO…")]


def main() -> None:
    """The console script: anything that the user can mend is one line on standard error and exit code 2."""
    try:
        app()
    except SettingsError as error:
        fail(str(error))


@app.command()
def run() -> None:
    """Serve the whole product from one process; what has no address is served from inside."""
    from bff import programs  # noqa: PLC0415 -- the other commands need not wait for these
    from bff.cli import greeting  # noqa: PLC0415 -- the other commands need not wait for these

    serve(programs.run_all(read_settings(), lambda http: greeting.welcome(settings(), http.port)), "homestay")


@app.command()
def bff() -> None:
    """Serve the GraphQL edge, by as many processes as HOMESTAY_PROCESSES says."""
    if read_settings().processes > 1:
        from bff.cli import several  # noqa: PLC0415 -- the parent serves nobody, and needs little

        several.run(settings())
        return
    from bff import programs  # noqa: PLC0415

    serve(programs.run_bff(settings(), lambda http: say(edge_at(settings(), http.port))), "homestay-bff")


@app.command("bff-process", hidden=True)
def bff_process(number: int, of: int, port: int, directory: Path) -> None:
    """Serve the GraphQL edge as one process of several; for `homestay bff`, which starts them."""
    from bff import programs  # noqa: PLC0415
    from bff.processes.seat import Seat  # noqa: PLC0415

    structlog.contextvars.bind_contextvars(process=number)
    serve(
        programs.run_bff(read_settings(), lambda _: None, Seat(number, of, port, directory)),
        "homestay-bff",
    )


@app.command()
def worker(
    processes: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 1,
    threads: Annotated[int, typer.Option(help="Messages at once in each.", min=1)] = 32,
) -> None:
    """Run the dramatiq worker: `dramatiq workers.actors` with our defaults."""
    if not settings().broker_url:
        fail(f"{PREFIX}BROKER_URL: a worker of its own needs a broker that processes share (`homestay run` has one)")
    command = [sys.executable, "-m", "dramatiq", "workers.actors", "--skip-logging"]
    command += ["--processes", str(processes), "--threads", str(threads), "--worker-shutdown-timeout", "12000"]
    # dramatiq forks its workers before it imports anything of ours; so it must be the program, not a call.
    os.execv(sys.executable, command)  # noqa: S606 -- our own command line


@app.command("order-rpc")
def order_rpc() -> None:
    """Serve the order gRPC service."""
    from bff import programs  # noqa: PLC0415

    serve(
        programs.run_order_rpc(read_settings(), lambda server: say(f"order service on {server.address}")),
        "homestay-order-rpc",
    )


@app.command("travel-rpc")
def travel_rpc() -> None:
    """Serve the reference travel service, with a demo catalogue."""
    from bff import programs  # noqa: PLC0415

    serve(
        programs.run_travel_rpc(read_settings(), lambda server: say(f"travel service on {server.address}")),
        "homestay-travel-rpc",
    )


@app.command("payment-rpc")
def payment_rpc() -> None:
    """Serve the reference payment service."""
    from bff import programs  # noqa: PLC0415

    serve(
        programs.run_payment_rpc(read_settings(), lambda server: say(f"payment service on {server.address}")),
        "homestay-payment-rpc",
    )


@app.command()
def sweep(
    once: Annotated[bool, typer.Option("--once", help="Sweep once and end, for cron.")] = False,  # noqa: FBT002
) -> None:
    """Close what is overdue and return money that is due; runs inside every worker too."""
    from bff.cli import tasks  # noqa: PLC0415

    if not once:
        fail("every worker sweeps by itself; `homestay sweep --once` makes one sweep now")
    swept = do(tasks.sweep(read_settings()))
    say(f"overdue {swept.overdue}, closed {swept.closed}")


@app.command()
def migrate(
    as_json: Annotated[bool, typer.Option("--json", help="Tell in JSON what came of it.")] = False,  # noqa: FBT002
) -> None:
    """Bring the database's tables up to date, and give orders of the existing system their nights."""
    from bff.cli import tasks  # noqa: PLC0415
    from bff.cli.migrated import progress  # noqa: PLC0415

    migrated = do(tasks.migrate(read_settings(), lambda done: typer.echo(progress(done), err=True)))
    say(migrated.as_json() if as_json else migrated.as_text())


@app.command()
def token(
    user: Annotated[int, typer.Option(help="The guest's number.", min=1)],
    ttl: Annotated[str, typer.Option(help="How long it is good for: 90s, 30m, 1h, 7d.")] = "1h",
) -> None:
    """Print a bearer token; with the development key only, unless HOMESTAY_JWT_SECRET is given."""
    from bff.identity.tokens import Tokens  # noqa: PLC0415

    match = _DURATION.fullmatch(ttl)
    if match is None:
        fail(f"--ttl: {ttl!r} is no duration; expected for example 90s, 30m, 1h or 7d")
    if not settings().key:
        fail(f"{PREFIX}JWT_SECRET: tokens are signed by others here ({PREFIX}JWT_JWKS_URL), unless this is set too")
    seconds = int(match[1]) * _UNITS[match[2] or "s"]
    say(Tokens.of(settings()).sign(user, timedelta(seconds=seconds)))


@app.command()
def pay(sn: Sn) -> None:
    """Play the payment provider: confirm the order's open payment (and open it, where the guest has not)."""
    from bff.cli import tasks  # noqa: PLC0415

    say(do(tasks.pay(read_settings(), sn)))


@app.command()
def refund(sn: Sn) -> None:
    """Play the payment provider: return the order's money."""
    from bff.cli import tasks  # noqa: PLC0415

    say(do(tasks.refund(read_settings(), sn)))


@app.command()
def schema() -> None:
    """Print the GraphQL schema (SDL)."""
    from bff.graph.sdl import print_sdl  # noqa: PLC0415

    typer.echo(print_sdl(), nl=False)


app.command("settlements")(settlements.settlements)
app.add_typer(dead_letters.app, name="dead-letters")
