import pytest

from tests.bff.client import Client, any_database


async def test_ready_while_the_database_can_be_asked(client: Client, statements: list[str]) -> None:
    response = await client.http.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "missing": [], "reasons": {}})
    assert response.headers["X-Request-Id"]
    assert statements != []


@any_database
async def test_alive_without_any_database(client: Client, statements: list[str]) -> None:
    response = await client.http.get("/livez", headers={"X-Request-Id": "the-same"})
    assert (response.status_code, response.text) == (200, "ok\n")
    assert response.headers["X-Request-Id"] == "the-same"
    assert statements == []


@any_database
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_health_is_only_read(client: Client, path: str) -> None:
    assert (await client.http.head(path)).status_code == 200
    assert (await client.http.post(path)).status_code == 405
