"""An edge around order use cases, as the programs put it together."""

from typing import Any

from bff.graph import schema
from bff.http.edge import Edge
from bff.identity.tokens import Tokens
from bff.limits.allowance import Allowance
from domain.order.room import OrderRoom
from tests.bff.client import TOKENS


def edge_of(
    room: OrderRoom, *, tokens: Tokens = TOKENS, introspection: bool = True, per_minute: int = 0, **more: Any
) -> Edge:
    """An edge that sets no limit by the minute, unless the test says otherwise."""
    return Edge(
        schema.build(introspection=introspection),
        room.orders,
        room.following,
        tokens,
        Allowance(per_minute),
        suggestions=introspection,
        **more,
    )
