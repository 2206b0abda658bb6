"""Every program in a process of its own, on MariaDB and Redis."""

import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import grpc
import httpx
import pytest

from proto import order_pb2, order_pb2_grpc
from tests.servers import MariaDB, Redis, free_port
from tests.system.installation import Installation

_databases = count()


@pytest.fixture
def installation(tmp_path: Path, mariadb: MariaDB, redis: Redis) -> Iterator[Installation]:
    url = mariadb.create_database(f"separate{next(_databases)}")
    environment = {"HOMESTAY_DATABASE_URL": url, "HOMESTAY_BROKER_URL": redis.url}
    with Installation(tmp_path, **environment) as installation:
        assert installation.command("migrate").returncode == 0
        yield installation
    redis.wipe()


def test_an_order_is_placed_paid_and_another_one_closed(installation: Installation) -> None:
    for program in ("travel-rpc", "payment-rpc"):
        installation.start(program)
    installation.start_worker()
    installation.start("bff", HOMESTAY_PAY_WINDOW="10")
    token = installation.token()

    order = installation.place(token)
    assert order["orderTotalPrice"]["amountMinor"] == 71800
    unpaid = installation.place(token, ahead=40)
    assert installation.command("pay", order["sn"]).returncode == 0
    paid = installation.wait_for(order["sn"], "WAIT_USE", token=token, within=30)
    assert paid["payment"]["payTime"] is not None

    closed = installation.wait_for(unpaid["sn"], "CANCELLED", token=token, within=30)
    assert closed["closeReason"] == "UNPAID_TIMEOUT"
    assert installation.detail(order["sn"], token)["tradeState"] == "WAIT_USE"


def test_who_follows_an_order_hears_of_what_another_program_does(installation: Installation) -> None:
    for program in ("travel-rpc", "payment-rpc"):
        installation.start(program)
    installation.start_worker()
    installation.start("bff", HOMESTAY_PAY_WINDOW="4")
    token = installation.token()
    sn = installation.place(token)["sn"]
    subscription = f'subscription {{ homestayOrderChanged(sn: "{sn}") {{ tradeState closeReason }} }}'
    with httpx.stream(
        "POST",
        f"http://127.0.0.1:{installation.port}/graphql",
        json={"query": subscription},
        headers={"Authorization": f"Bearer {token}", "Accept": "text/event-stream"},
        timeout=30,
    ) as response:
        told = [
            json.loads(line.removeprefix("data: "))["data"]["homestayOrderChanged"]
            for line in response.iter_lines()
            if line.startswith("data: {")
        ]
    assert told == [
        {"tradeState": "WAIT_PAY", "closeReason": None},
        {"tradeState": "CANCELLED", "closeReason": "UNPAID_TIMEOUT"},
    ]


def test_without_a_worker_the_next_sweep_closes(installation: Installation) -> None:
    for program in ("travel-rpc", "payment-rpc"):
        installation.start(program)
    installation.start("bff", HOMESTAY_PAY_WINDOW="0.5")
    token = installation.token()
    order = installation.place(token)
    installation.wait_for(order["sn"], "WAIT_PAY", token=token, within=1)
    for _ in range(50):
        swept = installation.command("sweep", "--once")
        assert swept.returncode == 0, swept.stderr
        if "closed 1" in swept.stdout:
            break
    assert installation.detail(order["sn"], token)["closeReason"] == "UNPAID_TIMEOUT"


def two_nights() -> order_pb2.CreateHomestayOrderReq:
    """What a back-end service asks for: the order of the examples, in a month."""
    day = 86400
    # Midnights in Shanghai, eight hours before those of UTC, in unix seconds.
    midnight = int(time.time()) // day * day + 30 * day - 8 * 3600
    return order_pb2.CreateHomestayOrderReq(
        homestayId=1, liveStartTime=midnight, liveEndTime=midnight + 2 * day, userId=7, livePeopleNum=2, isFood=True
    )


def test_an_order_outlives_the_order_service_that_placed_it(installation: Installation) -> None:
    for program in ("travel-rpc", "payment-rpc"):
        installation.start(program)
    installation.start_worker()
    service = installation.start("order-rpc", HOMESTAY_PAY_WINDOW="3")
    with grpc.insecure_channel(f"127.0.0.1:{installation.order_rpc_port}") as channel:
        sn = order_pb2_grpc.orderStub(channel).createHomestayOrder(two_nights(), timeout=5).sn
    due = time.monotonic() + 3
    # Its message may be on its way to Redis still, and be lost with it.
    service.kill()
    installation.start("order-rpc")
    with grpc.insecure_channel(f"127.0.0.1:{installation.order_rpc_port}") as channel:
        orders, which = order_pb2_grpc.orderStub(channel), order_pb2.HomestayOrderDetailReq(sn=sn)
        while (state := orders.homestayOrderDetail(which, timeout=5).homestayOrder.tradeState) == 0:
            assert time.monotonic() < due + 30
            time.sleep(0.05)
    assert state == -1


def test_a_back_end_service_places_and_reads_an_order_over_grpc(installation: Installation) -> None:
    for program in ("travel-rpc", "payment-rpc", "order-rpc"):
        installation.start(program)
    asked = two_nights()
    midnight, day = asked.liveStartTime, 86400
    with grpc.insecure_channel(f"127.0.0.1:{installation.order_rpc_port}") as channel:
        orders = order_pb2_grpc.orderStub(channel)
        placed = orders.createHomestayOrder(asked, timeout=5)
        detail = orders.homestayOrderDetail(order_pb2.HomestayOrderDetailReq(sn=placed.sn), timeout=5).homestayOrder
    assert (detail.orderTotalPrice, detail.tradeState, detail.tradeCode) == (71800, 0, "")
    assert (detail.liveStartDate, detail.liveEndDate) == (midnight, midnight + 2 * day)


def test_programs_stop_cleanly_when_they_are_told(installation: Installation) -> None:
    programs = [installation.start(name) for name in ("travel-rpc", "payment-rpc", "order-rpc", "bff")]
    programs += [installation.start_worker(), installation.start("worker")]
    for program in programs:
        assert program.terminate(15) == 0, program.output()
        assert "Traceback" not in program.output()


def test_a_worker_stops_cleanly_where_all_its_processes_are_told_at_once(installation: Installation) -> None:
    """systemd tells every process of a service, and the first of ours passes on what it was told itself."""
    worker = installation.start_worker(processes=2)
    os.killpg(worker.pid, signal.SIGTERM)
    assert worker.wait(15) == 0, worker.output()
    assert "Killing" not in worker.output()


def test_a_worker_without_a_shared_broker_is_refused_in_one_line(tmp_path: Path) -> None:
    with Installation(tmp_path) as installation:
        refused = installation.command("worker")
    assert refused.returncode == 2
    assert "HOMESTAY_BROKER_URL" in refused.stderr


def test_a_database_that_can_not_be_reached_is_said_in_one_line(tmp_path: Path) -> None:
    nowhere = f"mysql+aiomysql://homestay:word@127.0.0.1:{free_port()}/homestay"
    with Installation(tmp_path, HOMESTAY_DATABASE_URL=nowhere) as installation:
        all_refused = [installation.command("bff"), installation.command("dead-letters", "list")]
    for refused in all_refused:
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1
        assert "database" in refused.stderr
        assert "word" not in refused.stderr


def test_production_changes_no_tables_unasked(tmp_path: Path, mariadb: MariaDB, redis: Redis) -> None:
    environment = {
        "HOMESTAY_ENV": "production",
        "HOMESTAY_JWT_SECRET": "a-key-of-this-installation-and-no-other",
        "HOMESTAY_DATABASE_URL": mariadb.create_database(f"separate{next(_databases)}"),
        "HOMESTAY_BROKER_URL": redis.url,
        "HOMESTAY_TRAVEL_ADDR": "127.0.0.1:1",
        "HOMESTAY_PAYMENT_ADDR": "127.0.0.1:1",
    }
    with Installation(tmp_path, **environment) as installation:
        refused = installation.command("bff")
        assert (refused.returncode, "homestay migrate" in refused.stderr) == (2, True)
        assert installation.command("migrate").returncode == 0
        installation.start("bff")
        assert httpx.get(f"http://127.0.0.1:{installation.port}/readyz").status_code == 200
        assert httpx.get(f"http://127.0.0.1:{installation.port}/graphiql").status_code == 404
