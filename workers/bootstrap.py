"""The one place where real things are built and closed: engines, channels, use cases.

Nothing else opens a connection.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from grpc import aio

from domain import rpc
from domain.database import Database
from domain.engine import STATEMENT_DEADLINE, create_engine
from domain.order import payment_client, travel_client
from domain.order.payment_client import PaymentClient
from domain.order.ports import CloseTimer
from domain.order.room import OrderRoom, assemble
from domain.order.travel_client import TravelClient
from workers import broker, migration
from workers.changes import open_changes
from workers.clock import SystemClock
from workers.fair_use import open_fair_use
from workers.settings import NO_SIGNING_KEY, Settings, SettingsError
from workers.webhook import Webhook


@asynccontextmanager
async def open_database(
    settings: Settings, *, migrate: bool = False, statement_deadline: float | None = STATEMENT_DEADLINE
) -> AsyncIterator[Database]:
    """Opens the database, its tables in place.

    Args:
        settings: where it is.
        migrate: bring the tables up to date also in production, which elsewhere is never done unasked.
        statement_deadline: seconds in which the database has to answer a statement; None sets no limit.

    Raises:
        DatabaseUnavailable: it can't be used.
        migration.NotMigrated: the tables are not those of this version, and production changes none unasked.
    """
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    if migrate or not settings.production:
        await _migrate(settings)
    database = Database(create_engine(settings.database, statement_deadline=statement_deadline))
    try:
        await migration.check(database)
        yield database
    finally:
        await database.close()


async def _migrate(settings: Settings) -> None:
    # A change of a large table takes as long as it takes, and so does the wait for another process that makes it.
    database = Database(create_engine(settings.database, statement_deadline=None))
    try:
        await migration.upgrade(database)
    finally:
        await database.close()


@asynccontextmanager
async def open_channel(address: str, *, reads: Sequence[str] = ()) -> AsyncIterator[aio.Channel]:
    """Opens a channel to another service; it connects when it is first used.

    Args:
        address: host:port.
        reads: methods that change nothing, and so may be asked again.
    """
    channel = rpc.channel(address, reads=reads)
    try:
        yield channel
    finally:
        await channel.close()


@asynccontextmanager
async def open_orders(
    settings: Settings, timer: CloseTimer, *, statement_deadline: float | None = STATEMENT_DEADLINE
) -> AsyncIterator[OrderRoom]:
    """Opens all that orders need, on this loop.

    Args:
        settings: where the database and the other services are.
        timer: who is told of each new order.
        statement_deadline: seconds in which the database has to answer a statement; None sets no limit.
    """
    async with (
        open_database(settings, statement_deadline=statement_deadline) as database,
        open_channel(settings.travel, reads=travel_client.READS) as travel,
        open_channel(settings.payment, reads=payment_client.READS) as payment,
        open_fair_use(settings.creates_per_minute, broker.redis_url(settings)) as fair_use,
        open_changes(broker.redis_url(settings)) as changes,
    ):
        yield assemble(
            database,
            SystemClock(),
            settings.rules,
            travel=TravelClient(travel),
            payments=PaymentClient(payment),
            timer=timer,
            fair_use=fair_use,
            announces=bool(settings.notify_url),
            changes=changes,
            homestays_kept=settings.homestays_kept,
        )


@asynccontextmanager
async def open_webhook(settings: Settings) -> AsyncIterator[Webhook | None]:
    """Opens the way to whoever tells guests of changes; None where nobody is named.

    Raises:
        SettingsError: somebody is, and there is no key to sign with.
    """
    if not settings.notify_url:
        yield None
        return
    secret = settings.notify_secret.get_secret_value()
    if not secret:
        raise SettingsError(NO_SIGNING_KEY)
    async with Webhook(settings.notify_url, secret) as webhook:
        yield webhook
