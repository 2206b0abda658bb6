"""A running installation, as an operator would start it: programs of their own, an environment, nothing patched."""

import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx

from tests.servers import Process, free_port

BIN: Final = Path(sys.executable).parent
ROOT: Final = Path(__file__).parents[2]
_READY: Final = {
    "run": re.compile("Ctrl-C stops"),
    "bff": re.compile("GraphQL on"),
    "travel-rpc": re.compile("travel service on"),
    "payment-rpc": re.compile("payment service on"),
    "order-rpc": re.compile("order service on"),
    "worker": re.compile("worker ready"),
}


class Installation:
    """Ports, a data directory and an environment of its own.

    Args:
        home: an empty directory.
        environment: variables beside the ports; what is not named is served from inside.
    """

    def __init__(self, home: Path, **environment: str) -> None:
        self.port = free_port()
        self.order_rpc_port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOMESTAY_DATA_DIR": str(home),
            "HOMESTAY_PORT": str(self.port),
            "HOMESTAY_ORDER_RPC_PORT": str(self.order_rpc_port),
            "HOMESTAY_PAYMENT_RPC_PORT": str(free_port()),
            "HOMESTAY_TRAVEL_RPC_PORT": str(free_port()),
            **environment,
        }
        self._home = home
        self.running: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.running):
            process.kill()

    def start(self, *command: str, **more: str) -> Process:
        """Starts one of our programs and waits until it says that it is ready."""
        argv = [BIN / "homestay", *command]
        return self._start(argv, _READY[command[0]], more)

    def start_worker(self, processes: int = 1, **more: str) -> Process:
        """Starts the worker with dramatiq's own command."""
        argv = [BIN / "dramatiq", "workers.actors", "--processes", str(processes), "--threads", "4"]
        return self._start(argv, _READY["worker"], more)

    def _start(self, argv: list[Any], ready: re.Pattern[str], more: dict[str, str]) -> Process:
        process = Process(argv, env=self.environment | more, cwd=self._home, ready=ready)
        process.start()
        self.running.append(process)
        process.wait_ready(30)
        return process

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one of our short commands to its end."""
        return subprocess.run(  # noqa: S603 -- our own command line
            [BIN / "homestay", *arguments],
            env=self.environment,
            cwd=self._home,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def token(self, user: int = 7) -> str:
        return self.command("token", "--user", str(user)).stdout.strip()

    def ask(self, query: str, variables: dict[str, Any] | None = None, *, token: str) -> dict[str, Any]:
        """Sends one operation and returns its data; an answer with errors fails the test."""
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        ).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def place(self, token: str, *, ahead: int = 30) -> dict[str, Any]:
        """Places the order of the examples: two nights, two guests, with food; `ahead` in days."""
        payload = self.ask(PLACE, {"input": stay(ahead)}, token=token)["createHomestayOrder"]
        assert payload["userErrors"] == []
        order: dict[str, Any] = payload["order"]
        return order

    def detail(self, sn: str, token: str) -> dict[str, Any]:
        order: dict[str, Any] = self.ask(DETAIL, {"sn": sn}, token=token)["userHomestayOrderDetail"]
        return order

    def wait_for(self, sn: str, state: str, *, token: str, within: float) -> dict[str, Any]:
        """Asks until the order is in this state, and fails after `within` seconds."""
        deadline = time.monotonic() + within
        while True:
            order = self.detail(sn, token)
            if order["tradeState"] == state:
                return order
            assert time.monotonic() < deadline, f"{order} is not {state} after {within} s"
            time.sleep(0.05)


def stay(ahead: int = 30) -> dict[str, Any]:
    """Two nights for two with food, so many days from today: 718.00 yuan."""
    start = datetime.now(UTC).date() + timedelta(days=ahead)
    return {
        "homestayId": "1",
        "liveStartDate": str(start),
        "liveEndDate": str(start + timedelta(days=2)),
        "livePeopleNum": 2,
        "needFood": True,
    }


PLACE: Final = """
    mutation ($input: CreateHomestayOrderInput!) {
      createHomestayOrder(input: $input) {
        order { sn tradeState payBefore tradeCode nights orderTotalPrice { amount amountMinor currency } }
        userErrors { code message field }
      }
    }"""
QUOTE: Final = """
    query ($homestayId: ID!, $liveStartDate: Date!, $liveEndDate: Date!, $livePeopleNum: Int!, $needFood: Boolean!) {
      homestayQuote(homestayId: $homestayId, liveStartDate: $liveStartDate, liveEndDate: $liveEndDate,
                    livePeopleNum: $livePeopleNum, needFood: $needFood) { nights orderTotalPrice { amount } }
    }"""
DETAIL: Final = """
    query ($sn: ID!) {
      userHomestayOrderDetail(sn: $sn) {
        sn tradeState closeReason tradeCode payBefore createTime
        payment { sn status payTime payTotal { amount } }
        history { at from to reason }
      }
    }"""
