"""What the edge could reach if GraphQL were free: the same work through our repository, and answers written by hand.

It takes the same requests, and goes by the name of their operation. Token, database, upstreams and driver are the
product's; an order placed is its row and its first step, with no key, no nights and no limits.

    python -m benchmarks.edge.ceiling        (settings as `homestay bff` has them)
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

import orjson
import uvicorn
from sqlalchemy import insert
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bff.graph import ids, texts
from bff.identity.tokens import InvalidToken, Tokens, bearer
from domain.columns import table_of
from domain.database import Database
from domain.order import numbers, page_repository, pricing, repository
from domain.order.lines import SEPARATOR, Line, Lines
from domain.order.models import HomestayOrder, Order, OrderEvent
from domain.order.page_repository import OrderFilter, Window, page_of
from domain.order.payment_client import PaymentClient
from domain.order.ports import Homestay
from domain.order.pricing import Stay
from domain.order.service import PAGES_AT_ONCE
from domain.order.shown_homestays import ShownHomestays
from domain.order.states import PaymentStatus, TradeState
from domain.order.travel_client import TravelClient
from domain.shared_question import SharedQuestion
from domain.together import Statement, Together
from workers import bootstrap
from workers.settings import Settings, settings

_EVERY: Final = OrderFilter()
# The columns of `_of_line`.
_LISTED: Final = frozenset(
    {
        *("sn", "homestay_id", "title", "cover", "trade_state", "live_start_date", "live_end_date", "live_people_num"),
        *("id", "create_time", "close_at", "order_total_price"),
    }
)
_NEWEST: Final = Window(limit=21)
_STATES: Final = {str(state.value): state.name for state in TradeState}
_ADD: Final = Statement(insert(table_of(HomestayOrder)))
_ADD_STEP: Final = Statement(insert(table_of(OrderEvent)))
_SHOWN: Final = frozenset({PaymentStatus.SUCCESS, PaymentStatus.REFUNDED})

Work = Callable[[int, dict[str, Any]], Awaitable[dict[str, Any]]]


def _instant(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.replace(tzinfo=None).isoformat(timespec="milliseconds" if value.microsecond else "seconds") + "Z"


def _amount(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02}"


def _of_line(line: Line) -> dict[str, Any]:
    _, sn, homestay_id, title, cover, start, end, people, state, total, create_time, close_at = line[2].split(SEPARATOR)
    return {
        "sn": sn,
        "homestayId": homestay_id,
        "title": title,
        "cover": cover or None,
        "tradeState": _STATES[state],
        "liveStartDate": start,
        "liveEndDate": end,
        "nights": texts.NIGHTS[start, end],
        "livePeopleNum": int(people),
        "createTime": texts.instant(create_time),
        "payBefore": texts.pay_before(state, close_at),
        "orderTotalPrice": {"amount": texts.AMOUNTS[total]},
    }


def _detailed(order: Order) -> dict[str, Any]:
    return {
        "id": ids.global_id(ids.ORDER, order.sn),
        "sn": order.sn,
        "homestayId": str(order.homestay_id),
        "title": order.title,
        "subTitle": order.sub_title,
        "cover": order.cover or None,
        "info": order.info,
        "foodInfo": order.food_info,
        "saleUnit": order.row_type.name,
        "peopleNum": order.people_num,
        "livePeopleNum": order.live_people_num,
        "liveStartDate": order.live_start_date.isoformat(),
        "liveEndDate": order.live_end_date.isoformat(),
        "nights": order.nights,
        "needFood": order.need_food,
        "tradeState": order.trade_state.name,
        "closeReason": order.close_reason.name if order.close_reason else None,
        "tradeCode": order.shown_code,
        "remark": order.remark,
        "createTime": _instant(order.create_time),
        "payBefore": _instant(order.pay_before),
        "orderTotalPrice": {
            "amountMinor": order.order_total_price,
            "currency": "CNY",
            "amount": _amount(order.order_total_price),
        },
    }


class Ceiling:
    """The operations, by hand."""

    def __init__(
        self,
        database: Database,
        travel: TravelClient,
        shown: ShownHomestays,
        payments: PaymentClient,
        rules: pricing.Rules,
    ) -> None:
        self._database = database
        self._travel = travel
        self._shown = shown
        self._payments = payments
        self._rules = rules
        self._orders_wanted = SharedQuestion(partial(repository.read_several, database), repository.READ_AT_ONCE)
        self._pages_wanted = SharedQuestion(
            partial(page_repository.read_pages, database), PAGES_AT_ONCE, sort=lambda page: page.shape
        )
        self.work: dict[str, Work] = {
            "Detail": self.detail,
            "List": self.page,
            "Live": self.live,
            "Create": self.create,
        }

    async def detail(self, user_id: int, variables: dict[str, Any]) -> dict[str, Any]:
        """One order with its payment."""
        sn = variables["sn"]
        order = await self._orders_wanted.ask((user_id, sn))
        return {"userHomestayOrderDetail": None if order is None else {**_detailed(order), **await self._paid(order)}}

    async def _paid(self, order: Order) -> dict[str, Any]:
        payment = None if order.trade_state is TradeState.WAIT_PAY else await self._payments.of_order(order.sn)
        if payment is None or payment.status not in _SHOWN:
            return {"payment": None}
        return {
            "payment": {
                "sn": payment.sn,
                "payMode": payment.mode,
                "payTotal": {"amount": _amount(payment.total)},
                "payTime": _instant(payment.paid_at),
                "status": payment.status.name,
            }
        }

    async def page(self, user_id: int, _: dict[str, Any]) -> dict[str, Any]:
        """The newest orders."""
        nodes, info = await self._newest(user_id)
        return {"userHomestayOrderList": {"nodes": nodes, "pageInfo": info}}

    async def _newest(self, user_id: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """As the database writes them."""
        found: Lines = await self._pages_wanted.ask(page_of(user_id, _EVERY, _NEWEST, _LISTED, as_lines=True))
        lines = found.lines[:20]
        return [_of_line(line) for line in lines], {
            "hasNextPage": len(found) > len(lines),
            "endCursor": ids.cursor(found.id_at(len(lines) - 1)) if lines else None,
        }

    async def live(self, user_id: int, _: dict[str, Any]) -> dict[str, Any]:
        """The newest orders, and each one's homestay, kept for as long as ours keeps them."""
        nodes, info = await self._newest(user_id)
        wanted = [int(node["homestayId"]) for node in nodes]
        for node, homestay in zip(nodes, await self._shown.get(wanted), strict=True):
            node["homestay"] = {"title": homestay.title} if isinstance(homestay, Homestay) else None
        return {"userHomestayOrderList": {"nodes": nodes, "pageInfo": info}}

    async def create(self, user_id: int, variables: dict[str, Any]) -> dict[str, Any]:
        """Places an order: one row."""
        wanted = variables["input"]
        stay = Stay(
            ids.homestay_number(wanted["homestayId"]),
            date.fromisoformat(wanted["liveStartDate"]),
            date.fromisoformat(wanted["liveEndDate"]),
            wanted["livePeopleNum"],
            wanted["needFood"],
        )
        offer = pricing.offer(await self._travel.homestay(stay.homestay_id), stay)
        now = datetime.now(UTC)
        row = self._row(user_id, offer, now)

        async def work(together: Together) -> int:
            added = together.put(_ADD, {**row, "update_time": now})
            together.put(_ADD_STEP, {"order_sn": row["sn"], "at": now, "to_state": row["trade_state"]})
            await together.commit()
            return added.number

        number = await self._database.write_together(work)
        order = Order(id=number, **row)
        shown = {
            "sn": order.sn,
            "title": order.title,
            "tradeState": order.trade_state.name,
            "nights": order.nights,
            "liveStartDate": order.live_start_date.isoformat(),
            "payBefore": _instant(order.pay_before),
            "orderTotalPrice": {"amount": _amount(order.order_total_price), "currency": "CNY"},
        }
        return {"createHomestayOrder": {"order": shown, "userErrors": []}}

    def _row(self, user_id: int, offer: pricing.Offer, now: datetime) -> dict[str, Any]:
        homestay, stay = offer.homestay, offer.stay
        return {
            "sn": numbers.order_sn(now, self._rules.zone),
            "user_id": user_id,
            "homestay_id": homestay.id,
            "homestay_business_id": homestay.business_id,
            "homestay_user_id": homestay.user_id,
            "title": homestay.title,
            "sub_title": homestay.sub_title,
            "cover": homestay.cover or "",
            "info": homestay.info,
            "people_num": homestay.people_num,
            "row_type": homestay.sale_unit,
            "need_food": stay.food,
            "food_info": homestay.food_info,
            "food_price": homestay.food_price,
            "homestay_price": homestay.price,
            "market_homestay_price": homestay.market_price,
            "live_start_date": stay.start,
            "live_end_date": stay.end,
            "live_people_num": stay.guests,
            "trade_state": TradeState.WAIT_PAY,
            "trade_code": numbers.trade_code(),
            "remark": stay.remark,
            "homestay_total_price": offer.price.homestay_total,
            "food_total_price": offer.price.food_total,
            "order_total_price": offer.price.total,
            "create_time": now.replace(microsecond=0),
            "close_at": (now + self._rules.pay_window).replace(microsecond=now.microsecond // 1000 * 1000),
            "close_reason": None,
        }


def create_app(settings: Settings) -> Starlette:
    """Returns the application: one route."""
    tokens = Tokens.of(settings)
    ceiling: Ceiling

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal ceiling
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(bootstrap.open_database(settings))
            travel = await stack.enter_async_context(bootstrap.open_channel(settings.travel))
            payment = await stack.enter_async_context(bootstrap.open_channel(settings.payment))
            client = TravelClient(travel)
            shown = ShownHomestays(client, kept=settings.homestays_kept)
            ceiling = Ceiling(database, client, shown, PaymentClient(payment), settings.rules)
            print(f"ready on {settings.port}", flush=True)  # noqa: T201
            yield

    async def answer(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        try:
            caller = await tokens.caller(bearer(request.headers.get("authorization")) or "")
        except InvalidToken:
            return Response(status_code=401)
        data = await ceiling.work[asked["operationName"]](caller.user_id, asked.get("variables") or {})
        return Response(orjson.dumps({"data": data}), media_type="application/json")

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(
        create_app(settings()), host=settings().host, port=settings().port, access_log=False, log_level="warning"
    )
