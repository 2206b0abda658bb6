"""`homestay run` on a machine where nothing else runs."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.servers import free_port
from tests.system.installation import QUOTE, Installation, stay


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path) as installation:
        yield installation


def test_a_guest_quotes_places_lists_pays_and_sees_the_order_paid(installation: Installation) -> None:
    installation.start("run")
    token = installation.token()
    quote = installation.ask(QUOTE, stay(), token=token)
    assert quote["homestayQuote"] == {"nights": 2, "orderTotalPrice": {"amount": "718.00"}}

    order = installation.place(token)
    assert order["orderTotalPrice"] == {"amount": "718.00", "amountMinor": 71800, "currency": "CNY"}
    assert (order["tradeState"], order["tradeCode"]) == ("WAIT_PAY", None)
    listed = installation.ask("{ userHomestayOrderList { nodes { sn homestay { onShelf } } } }", token=token)
    assert listed["userHomestayOrderList"]["nodes"] == [{"sn": order["sn"], "homestay": {"onShelf": True}}]
    assert installation.detail(order["sn"], token)["payment"] is None

    paid = installation.command("pay", order["sn"])
    assert paid.returncode == 0, paid.stderr
    assert "WAIT_USE" in paid.stdout
    detail = installation.detail(order["sn"], token)
    assert detail["tradeState"] == "WAIT_USE"
    assert detail["tradeCode"] is not None
    assert detail["payBefore"] is None
    assert detail["payment"]["status"] == "SUCCESS"
    assert detail["payment"]["payTime"] >= detail["createTime"]
    assert [step["to"] for step in detail["history"]] == ["WAIT_PAY", "WAIT_USE"]

    returned = installation.command("refund", order["sn"])
    assert returned.returncode == 0, returned.stderr
    assert installation.detail(order["sn"], token)["tradeState"] == "REFUNDED"


def test_an_unpaid_order_closes_by_itself(installation: Installation) -> None:
    installation.start("run", HOMESTAY_PAY_WINDOW="3")
    token = installation.token()
    order = installation.place(token)
    closed = installation.wait_for(order["sn"], "CANCELLED", token=token, within=30)
    late = datetime.fromisoformat(closed["history"][-1]["at"]) - datetime.fromisoformat(order["payBefore"])
    assert timedelta(0) <= late <= timedelta(seconds=15)
    assert closed["closeReason"] == "UNPAID_TIMEOUT"
    assert closed["history"][-1]["reason"] == "UNPAID_TIMEOUT"


def test_what_fell_due_while_it_was_killed_is_closed_at_the_next_start(installation: Installation) -> None:
    program = installation.start("run", HOMESTAY_PAY_WINDOW="1")
    token = installation.token()
    order = installation.place(token)
    program.kill()
    time.sleep(1.1)
    installation.start("run")
    closed = installation.wait_for(order["sn"], "CANCELLED", token=token, within=15)
    assert closed["closeReason"] == "UNPAID_TIMEOUT"


def test_orders_outlive_a_stop_and_a_stop_is_clean(installation: Installation) -> None:
    program = installation.start("run")
    token = installation.token()
    order = installation.place(token)
    assert program.terminate(15) == 0
    assert "Traceback" not in program.output()
    installation.start("run")
    assert installation.detail(order["sn"], token)["tradeState"] == "WAIT_PAY"


def test_the_greeting_has_a_token_and_an_operation_that_work(installation: Installation) -> None:
    program = installation.start("run")
    greeting = program.output()
    token = next(line.strip() for line in greeting.splitlines() if line.startswith("  eyJ"))
    assert f"http://127.0.0.1:{installation.port}/graphiql" in greeting
    body = greeting.split("-d '")[1].split("'\n")[0]
    answer = httpx.post(
        f"http://127.0.0.1:{installation.port}/graphql",
        content=body,
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    ).json()
    assert answer["data"]["createHomestayOrder"]["order"]["orderTotalPrice"]["amount"] == "718.00"
    assert httpx.get(f"http://127.0.0.1:{installation.port}/graphiql").status_code == 200


def test_a_port_that_is_taken_is_said_in_one_line(installation: Installation) -> None:
    installation.start("run")
    port = str(installation.port)
    other = {"HOMESTAY_ORDER_RPC_PORT": str(free_port()), "HOMESTAY_PORT": port}
    second = Installation(Path(installation.environment["HOMESTAY_DATA_DIR"]), **other).command("bff")
    assert second.returncode == 2
    assert port in second.stderr.splitlines()[-1]
    assert "Traceback" not in second.stderr
