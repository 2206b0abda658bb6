"""A GraphQL client that somebody else wrote, against a running installation."""

from pathlib import Path

import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXTransport

from tests.system.installation import DETAIL, PLACE, Installation, stay


def test_gql_loads_the_schema_checks_operations_against_it_and_runs_them(tmp_path: Path) -> None:
    with Installation(tmp_path) as installation:
        installation.start("run")
        url = f"http://127.0.0.1:{installation.port}/graphql"
        transport = HTTPXTransport(url=url, headers={"Authorization": f"Bearer {installation.token()}"})
        with Client(transport=transport, fetch_schema_from_transport=True) as client:
            placed = client.execute(GraphQLRequest(PLACE, variable_values={"input": stay()}))["createHomestayOrder"]
            assert placed["userErrors"] == []
            sn = placed["order"]["sn"]
            detail = client.execute(GraphQLRequest(DETAIL, variable_values={"sn": sn}))["userHomestayOrderDetail"]
            assert (detail["sn"], detail["tradeState"]) == (sn, "WAIT_PAY")
        with (
            Client(transport=HTTPXTransport(url=url)) as nobody,
            pytest.raises(TransportQueryError) as refused,
        ):
            nobody.execute(GraphQLRequest(DETAIL, variable_values={"sn": sn}))
        assert [error["extensions"]["code"] for error in refused.value.errors or []] == ["UNAUTHENTICATED"]
