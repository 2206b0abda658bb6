"""Operations, errors and calls, counted as they come."""

from typing import Final

import pytest
from prometheus_client import REGISTRY

from bff.metrics import MAX_NAME, Operations
from domain.order.closing import Closing
from domain.order.service import Orders
from tests.bff.client import ANN, Client, any_database
from tests.bff.documents import PLACE, stay
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW
from tests.factories import create_stays
from tests.fakes import FakeTravel
from workers.closer import Closer
from workers.sweeper import Sweeper

NAMED: Final = "query CountedHere { userHomestayOrderList { nodes { sn } } }"


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def counted(name: str) -> float:
    return figure("homestay_operation_seconds_count", operation=name)


@any_database
async def test_an_operation_is_counted_under_its_name(client: Client) -> None:
    before = counted("CountedHere"), counted("unnamed")
    await client.data(NAMED)
    await client.data("{ userHomestayOrderList { nodes { sn } } }")
    assert (counted("CountedHere"), counted("unnamed")) == (before[0] + 1, before[1] + 1)


@any_database
@pytest.mark.parametrize(
    ("document", "user"),
    [
        ("query StrangerFromNowhere { userHomestayOrderList { nodes { sn } } }", None),
        ("query StrangerFromNowhere { noSuchField }", ANN),
    ],
)
async def test_a_name_that_was_never_executed_gets_no_series(client: Client, document: str, user: int | None) -> None:
    before = counted("other")
    await client.error(document, user=user)
    assert counted("other") == before + 1
    assert counted("StrangerFromNowhere") == 0


@any_database
async def test_what_went_wrong_is_counted_by_its_code(client: Client, travel: FakeTravel) -> None:
    codes = ("UNAUTHENTICATED", "GRAPHQL_VALIDATION_FAILED", "HOMESTAY_NOT_FOUND", "UPSTREAM_UNAVAILABLE")
    before = [figure("homestay_errors_total", code=code) for code in codes]
    await client.error(NAMED, user=None)
    await client.error("{ noSuchField }")
    await client.refused(PLACE, {"input": stay(homestayId="404")})
    travel.down = True
    await client.refused(PLACE, {"input": stay()})
    assert [figure("homestay_errors_total", code=code) for code in codes] == [count + 1 for count in before]


def test_names_are_bounded_and_those_used_last_are_kept() -> None:
    operations = Operations(most=2)
    for name in ("KeptA", "KeptB", "KeptA", "KeptC"):
        operations.observe(name, 0.1)
    assert [counted(name) for name in ("KeptA", "KeptB", "KeptC")] == [2, 0, 1]
    before = counted("other")
    operations.observe("KeptA", 0.1, executed=False)
    operations.observe("KeptD", 0.1, executed=False)
    operations.observe("x" * (MAX_NAME + 1), 0.1)
    assert (counted("KeptA"), counted("KeptD"), counted("other")) == (3, 0, before + 2)


@any_database
async def test_an_operation_with_many_errors_has_failed_once(client: Client, travel: FakeTravel) -> None:
    await client.place()
    await client.place(**stay(liveStartDate="2026-09-01", liveEndDate="2026-09-02"))
    names = "homestay_errors_total", "homestay_operations_failed_total"
    before = [figure(name, code="UPSTREAM_UNAVAILABLE") for name in names]
    travel.down = True
    await client.ask("{ userHomestayOrderList { nodes { homestay { title } } } }")
    await client.refused(PLACE, {"input": stay()})
    await client.ask(
        """mutation ($input: CreateHomestayOrderInput!) {
          one: createHomestayOrder(input: $input) { userErrors { code } }
          two: createHomestayOrder(input: $input) { userErrors { code } }
        }""",
        {"input": stay()},
    )
    now = [figure(name, code="UPSTREAM_UNAVAILABLE") for name in names]
    assert [count - was for count, was in zip(now, before, strict=True)] == [5, 3]


async def test_closes_are_counted_by_who_made_them_and_by_how_late_they_were(
    orders: Orders, closing: Closing, clock: FrozenClock
) -> None:
    sns = [(await orders.create(7, wanted)).order.sn for wanted in create_stays(3)]
    clock.advance(PAY_WINDOW)
    clock.advance(PAY_WINDOW / 400)  # three seconds
    names = {"message": 1, "sweep": 2}
    before = {by: figure("homestay_orders_closed_total", by=by) for by in names}
    lags = figure("homestay_closing_lag_seconds_sum"), figure("homestay_closing_lag_seconds_count")
    await Closer(closing).close_if_unpaid(sns[0])
    await Sweeper(closing, interval=5, grace=0).sweep()
    assert {by: figure("homestay_orders_closed_total", by=by) - before[by] for by in names} == names
    assert figure("homestay_closing_lag_seconds_count") - lags[1] == 3
    assert figure("homestay_closing_lag_seconds_sum") - lags[0] == pytest.approx(9, abs=0.1)
    await closing.close_many(sns)
    assert figure("homestay_closing_lag_seconds_count") - lags[1] == 3
