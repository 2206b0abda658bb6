"""How fast orders close when very many fall due in one moment, and how late the last of them is.

A MariaDB that flushes at each commit, a Redis that keeps its log, the reference payment service and the workers run as
processes of their own on 127.0.0.1. The orders and their messages are put there before; then time runs.

    python -m benchmarks.closing [--orders 100000] [--workers 1] [--no-messages] [--quick] [--result FILE]
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from benchmarks.results import CLOSING_HEAD, Closing
from bff.cli.progress import Tell, shown
from domain.columns import table_of
from domain.database import Database
from domain.engine import create_engine
from domain.order.models import HomestayOrder, OrderEvent
from domain.order.states import SaleUnit, TradeState
from tests.servers import MariaDB, Process, Redis
from tests.system.installation import Installation
from workers import actors, migration
from workers.sorted_set_broker import SortedSetBroker, connect

ORDERS: Final = table_of(HomestayOrder)
EVENTS: Final = table_of(OrderEvent)
AT_ONCE: Final = 2000
# Seconds after the due moment at which the run gives up.
PATIENCE: Final = 300


def sn(number: int) -> str:
    """An order's number."""
    return f"HSO20260520120000{number:08d}"


def rows(count: int, close_at: datetime) -> Iterator[list[dict[str, Any]]]:
    """The orders, in pieces that fit one statement."""
    now = datetime.now(UTC)
    for start in range(0, count, AT_ONCE):
        yield [
            {
                "sn": sn(number),
                "user_id": number,
                "homestay_id": number,
                "homestay_business_id": 1,
                "homestay_user_id": 1,
                "title": "Courtyard House",
                "people_num": 4,
                "row_type": SaleUnit.ROOM,
                "live_start_date": date(2027, 5, 1),
                "live_end_date": date(2027, 5, 3),
                "live_people_num": 2,
                "trade_state": TradeState.WAIT_PAY,
                "order_total_price": 59_800,
                "homestay_total_price": 59_800,
                "homestay_price": 29_900,
                "create_time": now,
                "update_time": now,
                "close_at": close_at,
            }
            for number in range(start, min(start + AT_ONCE, count))
        ]


async def place(database: Database, count: int, tell: Tell) -> None:
    """Stores the orders, which fall due much later."""
    done = 0
    for part in rows(count, datetime.now(UTC) + timedelta(days=1)):
        await database.write(lambda connection, part=part: connection.execute(sa.insert(ORDERS), part))  # type: ignore[misc]
        done += len(part)
        tell("placing orders", done, count)


async def set_timers(database: Database, broker: SortedSetBroker | None, count: int, tell: Tell) -> datetime:
    """Lets all orders fall due in one moment soon, and sends the message of each."""
    tell("setting when they fall due", 0, None)
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10 + count / 2000)
    await database.write(lambda connection: connection.execute(sa.update(ORDERS).values(close_at=due)))
    if broker is not None:
        for start in range(0, count, AT_ONCE):
            delay = max(0, round((due - datetime.now(UTC)).total_seconds() * 1000) + 50)
            sns = map(sn, range(start, min(start + AT_ONCE, count)))
            broker.enqueue_many([(actors.close_unpaid_message(each), delay) for each in sns])
            tell("sending messages", min(start + AT_ONCE, count), count)
    if datetime.now(UTC) > due:
        raise SystemExit("the orders fell due before everything was in place: the machine is too slow for this")
    return due


async def wait_until(due: datetime, tell: Tell) -> None:
    """Waits for the due moment."""
    while (left := (due - datetime.now(UTC)).total_seconds()) > 0:
        tell(f"the orders fall due in {left:.0f} s", 0, None)
        await asyncio.sleep(min(1, left))


async def watch(database: Database, count: int, due: datetime, tell: Tell) -> None:
    """Waits until all are closed, showing how far it is."""
    statement = sa.select(sa.func.count()).select_from(ORDERS).where(ORDERS.c.trade_state == TradeState.WAIT_PAY)
    while True:
        left = (await database.read(lambda connection: connection.execute(statement))).scalar_one()
        late = (datetime.now(UTC) - due).total_seconds()
        tell(f"{late:.1f} s after the due moment, {left} open", count - left, count)
        if not left:
            return
        if late > PATIENCE:
            raise SystemExit(f"{left} of {count} orders still open after {late:.0f} s")
        await asyncio.sleep(1)


async def lateness(database: Database, due: datetime) -> list[float]:
    """Seconds from the due moment to each close, in order."""
    statement = sa.select(EVENTS.c.at).where(EVENTS.c.to_state == TradeState.CANCELLED).order_by(EVENTS.c.at)
    instants = (await database.read(lambda connection: connection.execute(statement))).scalars()
    return [(at - due).total_seconds() for at in instants]


def cpu_seconds(process: Process) -> float:
    """What a program and its children have used so far."""
    ticks, clock = 0, 100
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == process.pid:  # its process group
            ticks += int(fields[11]) + int(fields[12])
    return ticks / clock


async def measure(count: int, workers: int, threads: int, *, messages: bool) -> Closing:
    """One run, and its figures."""
    with ExitStack() as stack:
        tell = stack.enter_context(shown(steady=False))
        tell("starting MariaDB and Redis", 0, None)
        mariadb = stack.enter_context(MariaDB(flush_log_at_trx_commit=1).start())
        redis = stack.enter_context(Redis().start())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation = stack.enter_context(
            Installation(home, HOMESTAY_DATABASE_URL=mariadb.url, HOMESTAY_BROKER_URL=redis.url)
        )
        database = Database(create_engine(mariadb.url))
        await migration.upgrade(database)
        broker = SortedSetBroker(client=connect(redis.url), middleware=[]) if messages else None
        await place(database, count, tell)
        installation.start("payment-rpc")
        running = [installation.start("worker", "--threads", str(threads)) for _ in range(workers)]
        due = await set_timers(database, broker, count, tell)
        await wait_until(due, tell)
        used = sum(map(cpu_seconds, running))
        await watch(database, count, due, tell)
        used = sum(map(cpu_seconds, running)) - used
        late = await lateness(database, due)
        await database.close()
    if late[0] < 0 or len(late) != count:
        raise SystemExit(f"closed {len(late)} of {count}, the first {late[0]:.3f} s after its time")
    return Closing(count, workers, messages=messages, half=late[count // 2], last=late[-1], cpu=used)


def main() -> None:
    """Reads the command line, measures, and prints a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.closing", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=32, help="of each worker")
    parser.add_argument("--no-messages", action="store_true", help="the sweep alone")
    parser.add_argument("--quick", action="store_true", help="10,000 orders")
    parser.add_argument("--result", type=Path, metavar="FILE", help="write the figures there too, in JSON")
    arguments = parser.parse_args()
    started = time.monotonic()
    print(CLOSING_HEAD)  # noqa: T201
    count = 10_000 if arguments.quick else arguments.orders
    closing = asyncio.run(measure(count, arguments.workers, arguments.threads, messages=not arguments.no_messages))
    print(closing.line())  # noqa: T201
    if arguments.result:
        closing.write(arguments.result)
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
