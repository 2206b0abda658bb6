"""A bug is masked for the client and told once to whoever runs the server; nothing of it shows in the answer."""

import pytest
import structlog
from structlog.testing import capture_logs

from domain.order.ports import Homestay
from tests.bff import documents
from tests.bff.client import Client, Json, any_database
from tests.bff.documents import stay
from tests.fakes import FakeTravel

pytestmark = any_database


class BrokenTravel(FakeTravel):
    """Has a bug, and in it what must not be told."""

    async def homestay(self, homestay_id: int) -> Homestay | None:
        self.asked.append(homestay_id)
        raise RuntimeError(f"secret {homestay_id}")


@pytest.fixture
def travel() -> BrokenTravel:
    return BrokenTravel()


OPERATIONS: list[tuple[str, Json, list[str]]] = [
    ("{ __typename homestay(id: 1) { title } }", {}, ["homestay"]),
    (documents.PLACE, {"input": stay()}, ["createHomestayOrder"]),
    (documents.QUOTE, {"homestayId": 1, "from": "2026-06-01", "to": "2026-06-03", "people": 2}, ["homestayQuote"]),
]


@pytest.mark.parametrize(("query", "variables", "path"), OPERATIONS, ids=["query", "mutation", "not to be null"])
async def test_a_bug_is_masked_and_logged_once(client: Client, query: str, variables: Json, path: list[str]) -> None:
    with capture_logs() as logs:
        response = await client.post({"query": query, "variables": variables})
    assert response.status_code == 200
    assert "secret" not in response.text
    assert "RuntimeError" not in response.text
    (error,) = response.json()["errors"]
    assert error["path"] == path
    assert error["extensions"] == {
        "code": "INTERNAL_SERVER_ERROR",
        "requestId": response.headers["X-Request-Id"],
    }
    (logged,) = logs
    assert (logged["log_level"], logged["path"]) == ("error", ".".join(path))
    assert isinstance(logged["exc_info"], RuntimeError)


async def test_what_is_beside_a_bug_is_answered(client: Client) -> None:
    answer = await client.ask("{ homestay(id: 1) { title } userHomestayOrderList { totalCount } }")
    assert answer["data"] == {"homestay": None, "userHomestayOrderList": {"totalCount": 0}}


async def test_a_log_line_has_the_id_of_its_request(client: Client) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await client.ask("{ homestay(id: 1) { title } }", headers={"X-Request-Id": "the-same"})
    assert [each["request_id"] for each in logs] == ["the-same"]


async def test_a_refusal_is_no_bug_and_not_logged(client: Client) -> None:
    with capture_logs() as logs:
        await client.ask('{ homestay(id: "x") { title } }')
        await client.ask("{ colour }")
        await client.ask("{ homestay(id: 1) { title } }", user=None)
        await client.ask(documents.HOMESTAY_BY_ID, {"id": True})
        await client.send(b"no request")
        await client.refused(documents.CANCEL, {"sn": "none"})
    assert logs == []
