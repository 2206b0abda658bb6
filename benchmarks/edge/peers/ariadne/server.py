"""The server. `python -m benchmarks.edge.peers.ariadne.server`, in the virtual environment beside it."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import grpc
import jwt
import orjson
import uvicorn
from aiodataloader import DataLoader
from ariadne import InterfaceType, MutationType, ObjectType, QueryType, ScalarType, load_schema_from_path
from ariadne import make_executable_schema as make_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLHTTPHandler
from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, validate
from grpc import aio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.edge.peers.ariadne.orders import (
    SALE_UNITS,
    WAIT_PAY,
    Database,
    Order,
    connect,
    global_id,
    money,
    number,
)
from benchmarks.edge.peers.ariadne.placing import refusal, row
from proto import payment_pb2, payment_pb2_grpc, travel_pb2, travel_pb2_grpc

KEY: Final = os.environ["HOMESTAY_JWT_SECRET"]
DEADLINE: Final = 1.0
# WAIT and FAILED are nobody's business.
_PAYMENTS_SHOWN: Final = {1: "SUCCESS", 2: "REFUNDED"}


class World:
    """What lives as long as the server does."""

    database: Database
    travel: Any
    payments: Any

    async def open(self) -> None:
        """Connects, on the loop that serves."""
        self.database = await connect(os.environ["HOMESTAY_DATABASE_URL"])
        self.travel = travel_pb2_grpc.travelStub(aio.insecure_channel(os.environ["HOMESTAY_TRAVEL_ADDR"]))
        self.payments = payment_pb2_grpc.paymentStub(aio.insecure_channel(os.environ["HOMESTAY_PAYMENT_ADDR"]))

    async def homestay(self, homestay_id: int) -> Any:  # noqa: ANN401 -- a message of protobuf
        """The homestay, or None."""
        answer = await _ask(self.travel.homestayDetail, travel_pb2.HomestayDetailReq(id=homestay_id))
        return None if answer is None else answer.homestay

    async def homestays(self, ids: list[int]) -> list[Any]:
        """Several homestays at once."""
        return await asyncio.gather(*map(self.homestay, ids))

    async def payment(self, sn: str) -> Any:  # noqa: ANN401
        """The payment of an order, or None."""
        answer = await _ask(self.payments.GetPaymentByOrderSn, payment_pb2.GetPaymentByOrderSnReq(orderSn=sn))
        return None if answer is None else answer.paymentDetail


async def _ask(method: Any, request: Any) -> Any:  # noqa: ANN401
    try:
        return await method(request, timeout=DEADLINE)
    except aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise


world: Final = World()
query, mutation, order = QueryType(), MutationType(), ObjectType("HomestayOrder")
user_error = InterfaceType("UserError", lambda *_: "InputError")


@query.field("userHomestayOrderDetail")
async def detail(_: object, info: Any, sn: str) -> Order | None:  # noqa: ANN401
    """One order."""
    return await world.database.find(info.context["user_id"], sn)


@query.field("userHomestayOrderList")
async def listed(_: object, info: Any, first: int, after: str | None = None) -> dict[str, Any]:  # noqa: ANN401
    """A page of orders."""
    if not 1 <= first <= 100:  # noqa: PLR2004 -- as ours
        raise GraphQLError("A page has 1 to 100 orders.")
    place = None if after is None else number(after)
    orders = await world.database.page(info.context["user_id"], place, first + 1)
    goes_on = len(orders) > first
    nodes = orders[:first]
    return {"nodes": nodes, "pageInfo": {"hasNextPage": goes_on, "endCursor": nodes[-1].cursor if nodes else None}}


@mutation.field("createHomestayOrder")
async def create(_: object, info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, ANN401
    """Places an order."""
    homestay = await world.homestay(number(input["homestayId"]))
    if (refused := refusal(input, homestay)) is not None:
        return refused
    placed = await world.database.add(row(info.context["user_id"], input, homestay))
    return {"order": placed, "replayed": False, "userErrors": []}


@order.field("homestay")
async def homestay_of(source: Order, info: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """The homestay of an order; each of a page is asked for once."""
    loader = info.context.get("homestays")
    if loader is None:
        loader = info.context["homestays"] = DataLoader(world.homestays)
    found = await loader.load(source.row["homestay_id"])
    if found is None:
        return None
    return {
        "id": global_id("Homestay", found.id),
        "homestayId": found.id,
        "title": found.title,
        "subTitle": found.subTitle,
        "cover": found.banner.partition(",")[0] or None,
        "info": found.info,
        "peopleNum": found.peopleNum,
        "saleUnit": SALE_UNITS[found.rowType],
        "onShelf": found.rowState == 1,
        "homestayPrice": money(found.homestayPrice),
        "marketHomestayPrice": money(found.marketHomestayPrice),
        "foodInfo": found.foodInfo,
        "foodPrice": money(found.foodPrice),
    }


@order.field("payment")
async def payment_of(source: Order, _: object) -> dict[str, Any] | None:
    """The payment of an order."""
    if source.row["trade_state"] == WAIT_PAY:
        return None
    found = await world.payment(source.row["sn"])
    if found is None or found.payStatus not in _PAYMENTS_SHOWN:
        return None
    paid = datetime.fromtimestamp(found.payTime, UTC).replace(tzinfo=None).isoformat() + "Z" if found.payTime else None
    return {
        "sn": found.sn,
        "payMode": found.payMode,
        "payTotal": money(found.payTotal),
        "payTime": paid,
        "status": _PAYMENTS_SHOWN[found.payStatus],
    }


def _date(value: object) -> str:
    if not isinstance(value, str) or date.fromisoformat(value).isoformat() != value:
        raise ValueError("A Date is written YYYY-MM-DD.")
    return value


def _user_id(request: Request) -> int:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    claims = jwt.decode(token, KEY, algorithms=["HS256"], leeway=10, options={"require": ["exp", "iat"]})
    user_id = claims["jwtUserId"]
    if type(user_id) is not int or user_id < 1:
        raise jwt.InvalidTokenError("it names nobody")
    return user_id


@lru_cache(1024)
def _parsed(text: str) -> DocumentNode:
    return parse(text)


def _parse(_: object, data: Mapping[str, Any]) -> DocumentNode:
    return _parsed(data["query"])


_valid: Final[dict[int, DocumentNode]] = {}


def _validate(
    schema: GraphQLSchema,
    document: DocumentNode,
    rules: Collection[Any] | None = None,
    **options: Any,  # noqa: ANN401
) -> list[GraphQLError]:
    # By identity: the document of a text is one object as long as it is kept, and kept it is here.
    if _valid.get(id(document)) is document:
        return []
    found = validate(schema, document, rules, **options)
    if not found:
        _valid[id(document)] = document
    return found


class Handler(GraphQLHTTPHandler):  # type: ignore[misc] # ariadne is not in this environment
    """JSON by orjson both ways, and nobody without a token."""

    async def handle_request_override(self, request: Request) -> Response | None:
        """Turns away whoever can't say who they are."""
        try:
            request.state.user_id = _user_id(request)
        except jwt.PyJWTError:
            error = {"message": "The token is not valid.", "extensions": {"code": "UNAUTHENTICATED"}}
            return Response(orjson.dumps({"errors": [error]}), HTTPStatus.UNAUTHORIZED, media_type="application/json")
        return None

    async def extract_data_from_json_request(self, request: Request) -> Any:  # noqa: ANN401
        """The body."""
        return orjson.loads(await request.body())

    async def create_json_response(self, request: Request, result: dict[str, Any], success: bool) -> Response:  # noqa: ARG002, FBT001
        """The answer."""
        status = HTTPStatus.OK if success or result.get("data") is not None else HTTPStatus.BAD_REQUEST
        return Response(orjson.dumps(result), status, media_type="application/json")


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Connects before the first request."""
    await world.open()
    print(f"ready on {os.environ['HOMESTAY_PORT']}", flush=True)  # noqa: T201
    yield


def create_app() -> Starlette:
    """Returns the application."""
    scalars = [ScalarType("Date", value_parser=_date), ScalarType("DateTime"), ScalarType("BigInt", value_parser=int)]
    sdl = load_schema_from_path(str(Path(__file__).parents[1] / "schema.graphql"))
    schema = make_schema(sdl, query, mutation, order, user_error, *scalars)
    endpoint = GraphQL(
        schema,
        context_value=lambda request, _: {"user_id": request.state.user_id},
        query_parser=_parse,
        query_validator=_validate,
        explorer=None,
        http_handler=Handler(),
    )
    return Starlette(routes=[Route("/graphql", endpoint)], lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(
        create_app(),
        host="127.0.0.1",
        port=int(os.environ["HOMESTAY_PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
