"""Ours in the place of the existing order service, with the existing services and tables around it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import pytest
import sqlalchemy as sa
from grpc import aio

from domain.database import Database
from domain.engine import create_engine
from proto import order_pb2, order_pb2_grpc, payment_pb2, payment_pb2_grpc
from tests.conftest import SHANGHAI
from tests.servers import MariaDB, Redis
from tests.system.existing import Existing, existing
from tests.system.installation import DETAIL, PLACE, Installation
from tests.workers import seed
from tests.workers.seed import Seed

P = ParamSpec("P")
T = TypeVar("T")

_databases = count()

GUEST: Final = 7
OTHER: Final = 8
LIST: Final = """
    { userHomestayOrderList(first: 100) {
        nodes { sn tradeState orderTotalPrice { amountMinor } homestay { title } payment { status } } } }"""


@dataclass
class Neighbours:
    """Ours and theirs on one database."""

    ours: Installation
    theirs: Existing
    address: str
    database: Database
    today: datetime

    async def ask(self, query: str, variables: dict[str, Any] | None = None, *, user: int = GUEST) -> dict[str, Any]:
        token = await off_loop(self.ours.token, user)
        return await off_loop(self.ours.ask, query, variables, token=token)

    async def row(self, sn: str) -> dict[str, Any]:
        """An order as theirs reads it: by the columns that it knows."""
        statement = sa.select(seed.ORDERS).where(seed.ORDERS.c.sn == sn)
        return dict((await self.database.read(lambda connection: connection.execute(statement))).mappings().one())

    def stay(self, homestay_id: int, ahead: int) -> dict[str, Any]:
        start = self.today.date() + timedelta(days=ahead)
        return {
            "homestayId": str(homestay_id),
            "liveStartDate": str(start),
            "liveEndDate": str(start + timedelta(days=2)),
            "livePeopleNum": 1,
        }


async def off_loop(work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Runs what waits for a program of ours while theirs answer it from this loop."""
    return await asyncio.to_thread(work, *args, **named)


@pytest.fixture
async def neighbours(tmp_path: Path, mariadb: MariaDB, redis: Redis) -> AsyncIterator[Neighbours]:
    url = mariadb.create_database(f"existing{next(_databases)}")
    database = Database(create_engine(url))
    today = datetime.now(SHANGHAI)
    written = Seed(today.date())
    written.orders = [order | {"user_id": GUEST, "del_state": 0} for order in written.orders[:50]]
    ours = {order["sn"] for order in written.orders}
    written.payments = [payment for payment in written.payments if payment["order_sn"] in ours]
    assert len(written.payments) > 5
    for homestay in written.homestays[:2]:
        homestay.update(row_state=1, row_type=0, people_num=4)
    written.homestays[2]["row_state"] = 0
    await written.write(database)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        theirs, address = await stack.enter_async_context(existing(database))
        installation = stack.enter_context(
            Installation(
                tmp_path,
                HOMESTAY_DATABASE_URL=url,
                HOMESTAY_BROKER_URL=redis.url,
                HOMESTAY_TRAVEL_ADDR=address,
                HOMESTAY_PAYMENT_ADDR=address,
                HOMESTAY_MAX_UNPAID_ORDERS="0",
            )
        )
        migrated = await off_loop(installation.command, "migrate")
        assert migrated.returncode == 0, migrated.stderr
        for program in ("bff", "order-rpc"):
            await off_loop(installation.start, program)
        yield Neighbours(installation, theirs, address, database, today)
    redis.wipe()


async def test_guests_find_the_orders_of_before_with_homestays_and_payments(neighbours: Neighbours) -> None:
    orders = (await neighbours.ask(LIST))["userHomestayOrderList"]["nodes"]
    assert len(orders) == 50
    assert all(order["homestay"]["title"].startswith("民宿") for order in orders)
    paid = sa.select(seed.PAYMENTS.c.order_sn).where(seed.PAYMENTS.c.pay_status == 1)
    found = set((await neighbours.database.read(lambda connection: connection.execute(paid))).scalars())
    # Theirs tells of no payment but a paid or a returned one.
    shown = {order["sn"] for order in orders if order["payment"]}
    assert shown == found & {order["sn"] for order in orders}
    assert {order["payment"]["status"] for order in orders if order["payment"]} == {"SUCCESS"}
    assert (await neighbours.ask(LIST, user=OTHER))["userHomestayOrderList"]["nodes"] == []
    # It was asked for what it lacks once, not for each order.
    lacking = [method for method in neighbours.theirs.asked if method.endswith("GetPaymentByOrderSn")]
    assert 0 < len(lacking) <= 50


async def test_what_theirs_answers_with_an_empty_message_does_not_exist(neighbours: Neighbours) -> None:
    for homestay_id, code in ((9999, "HOMESTAY_NOT_FOUND"), (3, "HOMESTAY_OFF_SHELF")):
        payload = (await neighbours.ask(PLACE, {"input": neighbours.stay(homestay_id, 100)}))["createHomestayOrder"]
        assert [refusal["code"] for refusal in payload["userErrors"]] == [code]
    assert (await neighbours.ask("{ homestay(id: 9999) { title } }"))["homestay"] is None


async def test_an_order_of_ours_is_paid_by_theirs_and_both_read_it(neighbours: Neighbours) -> None:
    payload = (await neighbours.ask(PLACE, {"input": neighbours.stay(1, 100)}))["createHomestayOrder"]
    assert payload["userErrors"] == []
    sn = payload["order"]["sn"]
    row = await neighbours.row(sn)
    assert (row["trade_state"], row["user_id"], row["order_total_price"], row["del_state"]) == (0, GUEST, 59_800, 0)

    pay = "mutation ($sn: ID!) { payHomestayOrder(sn: $sn) { payment { sn status } userErrors { code } } }"
    opened = (await neighbours.ask(pay, {"sn": sn}))["payHomestayOrder"]
    assert (opened["userErrors"], opened["payment"]["status"]) == ([], "WAIT")
    async with aio.insecure_channel(neighbours.address) as channel:
        await payment_pb2_grpc.paymentStub(channel).UpdateTradeState(
            payment_pb2.UpdateTradeStateReq(
                sn=opened["payment"]["sn"],
                tradeState="SUCCESS",
                payStatus=1,
                payTime=int(datetime.now(UTC).timestamp()),
            ),
            timeout=5,
        )
    # As theirs tells the order service of it.
    async with aio.insecure_channel(f"127.0.0.1:{neighbours.ours.order_rpc_port}") as channel:
        orders = order_pb2_grpc.orderStub(channel)
        moved = await orders.updateHomestayOrderTradeState(
            order_pb2.UpdateHomestayOrderTradeStateReq(sn=sn, tradeState=1), timeout=5
        )
        assert (moved.sn, moved.userId, len(moved.tradeCode)) == (sn, GUEST, 8)
        listed = await orders.userHomestayOrderList(
            order_pb2.UserHomestayOrderListReq(pageSize=20, userId=GUEST, traderState=-99), timeout=5
        )
        assert listed.list[0].sn == sn
    detail = (await neighbours.ask(DETAIL, {"sn": sn}))["userHomestayOrderDetail"]
    assert (detail["tradeState"], detail["payment"]["status"]) == ("WAIT_USE", "SUCCESS")
    assert (await neighbours.row(sn))["trade_state"] == 1


async def test_an_order_that_theirs_still_writes_is_one_of_ours(neighbours: Neighbours) -> None:
    start = neighbours.today.date() + timedelta(days=200)
    written = {
        "sn": "HSO20260520120000THEIRS01",
        "user_id": GUEST,
        "homestay_id": 2,
        "title": "Written by theirs",
        "people_num": 4,
        "live_start_date": start,
        "live_end_date": start + timedelta(days=1),
        "live_people_num": 2,
        "homestay_price": 29_900,
        "order_total_price": 29_900,
        "homestay_total_price": 29_900,
    }
    insert = sa.insert(seed.ORDERS).values(**written)
    await neighbours.database.write(lambda connection: connection.execute(insert))
    detail = (await neighbours.ask(DETAIL, {"sn": written["sn"]}))["userHomestayOrderDetail"]
    assert (detail["sn"], detail["tradeState"]) == (written["sn"], "WAIT_PAY")
    # It has no nights of ours until the next `homestay migrate`, or the job of the workers, gives it some.
    migrated = await off_loop(neighbours.ours.command, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    taken = (await neighbours.ask(PLACE, {"input": neighbours.stay(2, 199)}))["createHomestayOrder"]
    assert [refusal["code"] for refusal in taken["userErrors"]] == ["DATES_UNAVAILABLE"]
