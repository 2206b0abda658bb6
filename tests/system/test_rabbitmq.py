"""An installation whose messages go by RabbitMQ."""

import re
import time
from pathlib import Path

import httpx

from tests.servers import RabbitMQ, free_port, require
from tests.system.installation import Installation
from workers.queue_figures import UP


def test_an_order_closes_by_its_message_and_a_rabbitmq_that_is_away_is_told(tmp_path: Path) -> None:
    watched = free_port()
    with (
        require(RabbitMQ().start) as rabbitmq,
        Installation(
            tmp_path,
            HOMESTAY_BROKER_URL=rabbitmq.url,
            HOMESTAY_PAY_WINDOW="1",
            HOMESTAY_SWEEP_GRACE="60",
            HOMESTAY_WATCH_PORT=str(watched),
        ) as installation,
    ):
        edge = installation.start("run")
        token = installation.token()

        def get(path: str, port: int = watched) -> httpx.Response:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)

        order = installation.place(token)
        installation.wait_for(order["sn"], "CANCELLED", token=token, within=15)
        assert get("/readyz").json()["missing"] == []
        told = get("/metrics").text
        assert 'homestay_orders_closed_total{by="message"} 1.0' in told
        assert set(re.findall(r"^homestay_(?:queue|dead)_messages\{.*\} (.*)$", told, re.MULTILINE)) == {"0.0"}

        rabbitmq.kill()
        answer = get("/readyz")
        assert (answer.status_code, answer.json()["missing"]) == (503, ["broker"])
        assert get("/livez").status_code == 200
        for port in (watched, installation.port):
            assert f"{UP} 0.0" in get("/metrics", port).text
        # Guests are served all the same.
        installation.place(token, ahead=40)

        rabbitmq.start()
        until = time.monotonic() + 30
        while get("/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert edge.terminate(15) == 0, edge.output()
