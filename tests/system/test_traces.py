"""An order's life as a tracing back-end sees it: from the request that placed it to the close long after."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.servers import MariaDB, Redis, free_port
from tests.system.collector import Collector, Span
from tests.system.installation import PLACE, ROOT, Installation, stay

_databases = count()

# Whoever called the guest's client: a trace that began elsewhere.
CALLER: Final = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
PHONE: Final = "13912345678"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def place(installation: Installation, **wanted: str) -> str:
    """Places an order as part of the caller's trace; its number."""
    token = installation.token()
    answer = httpx.post(
        f"http://127.0.0.1:{installation.port}/graphql",
        json={"query": PLACE.replace("mutation", "mutation PlaceIt", 1), "variables": {"input": {**stay(), **wanted}}},
        headers={
            "Authorization": f"Bearer {token}",
            "traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01",
            "tracestate": "vendor=words-of-the-client",
        },
        timeout=10,
    ).json()
    sn = str(answer["data"]["createHomestayOrder"]["order"]["sn"])
    installation.wait_for(sn, "CANCELLED", token=token, within=20)
    return sn


def check_the_life_of_an_order(collector: Collector, figures: list[str], services: dict[str, str]) -> None:
    """Holds the spans of one order to what they should be: names, parents, links, and who tells them."""
    edge = collector.find("POST /graphql", trace=CALLER[0])
    assert (edge.parent, edge.kind, edge.service) == (CALLER[1], "SERVER", services["bff"])
    assert edge.attributes == {
        "http.request.method": "POST",
        "http.route": "/graphql",
        "http.response.status_code": 200,
    }
    operation = collector.find("mutation PlaceIt", parent=edge.id)
    assert operation.attributes["user.id"] == "7"
    asked = collector.find("pb.travel/homestayDetail", parent=operation.id)
    answered = collector.find("pb.travel/homestayDetail", parent=asked.id)
    assert (asked.kind, asked.service, answered.kind, answered.service) == (
        *("CLIENT", services["bff"]),
        *("SERVER", services["travel"]),
    )
    assert collector.find("read TravelService.homestayDetail", parent=answered.id).kind == "CLIENT"
    assert collector.find("write Placing.place", parent=operation.id).attributes["db.system.name"]
    sent = collector.find("create order.close_unpaid", parent=operation.id)
    assert (sent.kind, sent.trace) == ("PRODUCER", CALLER[0])

    ran = collector.wait_for(
        lambda: (span for span in collector.spans if span.name == "process order.close_unpaid" and span.links),
        "process order.close_unpaid",
    )
    assert (ran.links, ran.parent, ran.kind, ran.service) == ([sent.place], "", "CONSUMER", services["worker"])
    assert ran.trace != CALLER[0]
    closed = collector.find("close orders", parent=ran.id)
    looked = collector.find("pb.payment/GetPaymentsByOrderSns", parent=closed.id)
    assert collector.find("pb.payment/GetPaymentsByOrderSns", parent=looked.id).service == services["payment"]
    assert collector.find("write Transitions.move_many", parent=closed.id).trace == ran.trace
    figures += ["one order's life:", *collector.drawn(CALLER[0]), *collector.drawn(ran.trace)]


def told(spans: list[Span]) -> str:
    return "\n".join(f"{span.name} {span.attributes}" for span in spans)


def test_the_life_of_an_order_in_one_process(tmp_path: Path, collector: Collector, figures: list[str]) -> None:
    with Installation(tmp_path, HOMESTAY_PAY_WINDOW="1", HOMESTAY_SWEEP_GRACE="60", **collector.environment) as whole:
        program = whole.start("run", HOMESTAY_LOG_FORMAT="json")
        sn = place(whole, remark=f"Call {PHONE}")
        check_the_life_of_an_order(
            collector, figures, dict.fromkeys(("bff", "travel", "payment", "worker"), "homestay")
        )
        placed = next(line for line in program.output().splitlines() if "order placed" in line)
        assert json.loads(placed)["trace_id"] == CALLER[0]
        assert sn in placed
        assert program.terminate(15) == 0
    everything = told(collector.spans)
    assert PHONE not in everything
    assert "eyJ" not in everything
    assert "words-of-the-client" not in everything


def test_the_life_of_an_order_among_processes(
    tmp_path: Path, mariadb: MariaDB, redis: Redis, collector: Collector, figures: list[str]
) -> None:
    environment = {
        "HOMESTAY_DATABASE_URL": mariadb.create_database(f"traces{next(_databases)}"),
        "HOMESTAY_BROKER_URL": redis.url,
        "HOMESTAY_PAY_WINDOW": "1",
        "HOMESTAY_SWEEP_GRACE": "60",
        **collector.environment,
    }
    with Installation(tmp_path, **environment) as installation:
        assert installation.command("migrate").returncode == 0
        for program in ("travel-rpc", "payment-rpc", "bff"):
            installation.start(program)
        worker = installation.start_worker()
        place(installation)
        services = {name: f"homestay-{name}-rpc" for name in ("travel", "payment")}
        services |= {name: f"homestay-{name}" for name in ("bff", "worker")}
        check_the_life_of_an_order(collector, figures, services)
        assert worker.terminate(15) == 0
    redis.wipe()


def test_a_close_by_the_sweep_has_a_trace_of_its_own(tmp_path: Path, collector: Collector) -> None:
    with Installation(tmp_path, HOMESTAY_PAY_WINDOW="1") as installation:
        program = installation.start("run")
        installation.place(installation.token())
        program.kill()
        time.sleep(1.1)
        installation.start("run", **collector.environment)
        swept = collector.find("sweep orders")
        assert (swept.parent, swept.links, swept.attributes) == ("", [], {"homestay.orders": 1})
        assert collector.find("write Transitions.move_many").parent == swept.id
        # Looking in vain, every second, is no trace.
        time.sleep(2)
        roots = {span.name for span in collector.spans if not span.parent}
        assert {name for name in roots if not name.startswith("job ")} == {"sweep orders"}


def test_a_payment_leads_to_what_it_changes_by_links(tmp_path: Path, collector: Collector) -> None:
    with Installation(tmp_path, **collector.environment) as installation:
        installation.start("run")
        order = installation.place(installation.token())
        assert installation.command("pay", order["sn"]).returncode == 0
        changed = collector.find("pb.payment/UpdateTradeState", kind="SERVER")
        written = collector.find("write Payments._move", parent=changed.id)
        delivered = collector.find("deliver payment.status_changed")
        assert (delivered.parent, delivered.links) == ("", [written.place])


def test_a_collector_that_is_away_holds_nobody_up(tmp_path: Path) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with Installation(tmp_path, **away) as installation:
        program = installation.start("run")
        started = time.monotonic()
        installation.place(installation.token())
        assert time.monotonic() - started < 5
        assert program.terminate(15) == 0, program.output()
        assert "Traceback" not in program.output()


def test_an_exporter_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with Installation(tmp_path, OTEL_TRACES_EXPORTER="zebra") as installation:
        refused = installation.command("bff")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "zebra" in refused.stderr


PROGRAM: Final = """
import sys
from bff.cli import main as cli
from bff import programs
from bff.cli.terminal import serve
from workers import actors, tracing

async def nothing():
    pass

serve(nothing(), "test")
print(sorted(name for name, module in sys.modules.items() if module and name.startswith("opentelemetry")))
"""


@pytest.mark.parametrize(
    ("variables", "loaded"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_off_nothing_of_it_is_loaded(variables: dict[str, str], loaded: bool, tmp_path: Path) -> None:  # noqa: FBT001
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOMESTAY_DATA_DIR": str(tmp_path), **variables}
    said = subprocess.run(  # noqa: S603 -- our own words
        [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ("'opentelemetry.sdk'" in said.stdout) is loaded
    assert (said.stdout.strip() == "[]") is not loaded
