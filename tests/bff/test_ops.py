"""The operators' page: who may see it, what it shows, and what people do there."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bff import programs
from bff.app import create_app
from bff.ops import COOKIE
from bff.ops.charts import chart
from bff.ops.door import MOST_WAITING, SESSION, Door
from bff.ops.page import UNKNOWN, span
from domain import outbox, rpc
from domain.database import Database
from domain.engine import create_engine
from domain.order import letters
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from domain.outbox import LetterState, Outbox
from tests.bff.client import any_database
from tests.bff.edges import edge_of
from tests.bff.operators import TOKEN, Operator, app_of, fill, rows, section, tiles, words
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW, SHANGHAI
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.servers import free_port
from workers import bootstrap
from workers.figures import MESSAGE, SWEEP
from workers.settings import Settings

PLANTED = "<script>alert('1')</script>"


@pytest.fixture
async def operator(room: OrderRoom) -> AsyncIterator[Operator]:
    """An operator who is signed in."""
    made = Operator(app_of(room))
    async with made.http:
        assert (await made.sign_in()).status_code == HTTPStatus.SEE_OTHER
        yield made


@any_database
async def test_where_no_token_is_set_there_is_no_such_page(room: OrderRoom, database: Database) -> None:
    async with programs._open_ops(Settings(ops_token=""), room, works=True) as routes:
        assert routes == ()
        app = create_app(edge=edge_of(room), database=database, ops_routes=routes)
    async with Operator(app).http as http:
        for path in ("/ops", "/ops/ops.css"):
            assert (await http.get(path)).status_code == HTTPStatus.NOT_FOUND
        assert (await http.post("/ops/session", data={"token": ""})).status_code == HTTPStatus.NOT_FOUND


@any_database
async def test_where_a_token_is_set_there_is_one(room: OrderRoom, database: Database) -> None:
    settings = Settings(ops_token=TOKEN, travel_addr="127.0.0.1:1", payment_addr="127.0.0.1:1")
    async with programs._open_ops(settings, room, works=True) as routes:
        operator = Operator(create_app(edge=edge_of(room), database=database, ops_routes=routes))
        async with operator.http:
            await operator.sign_in()
            assert "this process's worker" in words(await operator.see())


@any_database
async def test_who_is_not_signed_in_sees_nothing(room: OrderRoom) -> None:
    operator = Operator(app_of(room))
    tomorrow = int(time.time()) + 86_400
    over = Door(TOKEN, now=lambda: time.time() - SESSION - 5).open_session()
    others = Door("another installation's token").open_session()
    async with operator.http:
        for cookie in ("", "nonsense", TOKEN, f"{tomorrow}.x.{'0' * 64}", others, over):
            answer = await operator.http.get("/ops", headers={"Cookie": f"{COOKIE}={cookie}"})
            assert answer.status_code == HTTPStatus.UNAUTHORIZED
            assert "The installation's token" in words(answer.text)
            assert "Refunds" not in answer.text


@any_database
async def test_the_token_opens_a_session_that_is_kept_from_scripts_and_other_sites(room: OrderRoom) -> None:
    for secure in (False, True):
        operator = Operator(app_of(room, secure=secure))
        async with operator.http:
            answer = await operator.sign_in()
            assert (answer.status_code, answer.headers["Location"]) == (HTTPStatus.SEE_OTHER, "/ops")
            parts = answer.headers["Set-Cookie"].lower().split("; ")
            assert {"httponly", "samesite=strict", "path=/ops", f"max-age={SESSION}"} <= set(parts)
            assert ("secure" in parts) is secure
            assert TOKEN not in answer.headers["Set-Cookie"]


@any_database
async def test_guesses_are_slow_and_wait_for_each_other(room: OrderRoom) -> None:
    operator = Operator(app_of(room, pause=0.1))
    async with operator.http:
        started = time.perf_counter()
        answers = await asyncio.gather(*(operator.sign_in(f"{TOKEN}{number}") for number in range(3)))
        assert time.perf_counter() - started >= 0.3
        assert {answer.status_code for answer in answers} == {HTTPStatus.UNAUTHORIZED}
        assert all("This is not the token." in answer.text for answer in answers)
        assert COOKIE not in operator.http.cookies
        crowd = await asyncio.gather(*(operator.sign_in(str(number)) for number in range(MOST_WAITING + 2)))
        refused = [answer for answer in crowd if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS]
        assert len(refused) == 2
        assert "Retry-After" in refused[0].headers


@any_database
async def test_who_signs_out_has_to_say_the_token_again(operator: Operator) -> None:
    answer = await operator.send("/ops/session/end")
    assert answer.headers["Location"] == "/ops?done=signed-out"
    again = await operator.http.get("/ops?done=signed-out")
    assert (again.status_code, "You are signed out." in again.text) == (HTTPStatus.UNAUTHORIZED, True)


@any_database
async def test_every_answer_binds_the_browser(operator: Operator) -> None:
    for answer in (
        await operator.http.get("/ops"),
        await operator.http.get("/ops/ops.css"),
        await operator.sign_in("wrong"),
        await operator.http.post("/ops/letters", data={}),
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';")
        assert "script" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = await operator.see()
    assert "<script" not in page
    assert "style=" not in page
    assert '<meta http-equiv="refresh" content="15; url=/ops">' in page
    assert "http-equiv" not in (await operator.http.get("/ops?refresh=off")).text


@any_database
async def test_an_installation_in_which_nothing_happens_is_shown_as_well(operator: Operator) -> None:
    page = await operator.see()
    assert {name: value for name, (value, _) in tiles(page).items()} == {
        "Closing soon": "0",
        "Overdue": "0",
        "Refunds due": "0",
        "Letters waiting": "0",
        "Dead letters": "0",
    }
    assert "✗" not in page
    assert "None: no money is here" in words(section(page, "refunds"))
    assert "No letter waits." in words(section(page, "queues"))


async def test_each_section_shows_what_the_tables_hold(
    operator: Operator, database: Database, clock: FrozenClock
) -> None:
    await fill(database, clock)
    page = await operator.see()
    assert tiles(page) == {
        "Closing soon": ["4", "in the next 20 minutes"],
        "Overdue": ["1", "the first for 42 s"],
        "Refunds due": ["2", "the first for 5 h"],
        "Letters waiting": ["2", "the first for 2 min"],
        "Dead letters": ["2", "somebody must look"],
    }
    minutes = dict(rows(page, "soon"))
    assert {minute: count for minute, count in minutes.items() if count != "0"} == {"now": "1", "+1": "2", "+10": "1"}
    assert section(page, "soon").count('<rect class="bar"') == 3
    lag = [(row[0], row[1]) for row in rows(page, "lag") if row[1] not in {"0", UNKNOWN}][:3]
    assert lag == [("≤ 0.5 s", "1"), ("≤ 15 s", "1"), ("≤ 60 s", "1")]
    assert section(page, "lag").count('class="bar late"') == 1
    assert f"3 orders that closed unpaid since {NOW - timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC" in words(page)
    assert rows(page, "lag")[-1] == ["the tables: how late they closed", "1", "2 at most"]
    assert rows(page, "refunds") == [
        ["PMT1", "HSO1", "598.01 CNY", "2026-05-19 23:00:00 UTC", "5 h"],
        ["PMT0", "HSO0", "598.00 CNY", "2026-05-20 03:57:00 UTC", "3 min"],
    ]
    assert rows(page, "queues")[-1] == [letters.CHANGED, "2", "0", "2 min"]
    dead = rows(page, "letters")
    assert [row[1:6] for row in dead if "PMT1" in row] == [
        [letters.REFUND, "PMT1", "1", "2026-05-20 04:00:00 UTC", "the payment service refuses PMT1"]
    ]
    assert len(dead) == 2


@any_database
async def test_what_this_process_closed_is_told_where_it_closes(room: OrderRoom) -> None:
    MESSAGE.inc(3)
    SWEEP.inc()
    operator = Operator(app_of(room, works=True))
    async with operator.http:
        await operator.sign_in()
        (found,) = [row for row in rows(await operator.see(), "lag") if "this process" in row[0]]
    assert (int(found[1]), int(found[2])) >= (3, 1)


async def test_a_dead_letter_is_tried_again(operator: Operator, database: Database, clock: FrozenClock) -> None:
    await fill(database, clock)
    post = Outbox(database, clock)
    first, second = await post.dead()
    answer = await operator.send("/ops/letters", id=str(first.id), do="retry")
    assert (answer.status_code, answer.headers["Location"]) == (HTTPStatus.SEE_OTHER, "/ops?done=letter-retry")
    assert "The letter will be tried again" in (await operator.http.get(answer.headers["Location"])).text
    assert [letter.id for letter in await post.dead()] == [second.id]
    assert (await post.counts())[LetterState.WAITING] == 3
    again = await operator.send("/ops/letters", id=str(first.id), do="retry")
    assert again.headers["Location"] == "/ops?done=nothing"


async def test_a_dead_letter_is_dropped(operator: Operator, database: Database, clock: FrozenClock) -> None:
    await fill(database, clock)
    post = Outbox(database, clock)
    first, second = await post.dead()
    answer = await operator.send("/ops/letters", id=str(first.id), do="drop")
    assert answer.headers["Location"] == "/ops?done=letter-drop"
    assert [letter.id for letter in await post.dead()] == [second.id]
    assert (await post.counts())[LetterState.WAITING] == 2


@any_database
async def test_forms_of_others_do_nothing(operator: Operator, database: Database, clock: FrozenClock) -> None:
    await fill(database, clock)
    post = Outbox(database, clock)
    first, _ = await post.dead()
    wanted = {"id": str(first.id), "do": "drop"}
    another = Operator(operator.http._transport.app)  # type: ignore[attr-defined]  # httpx gives it no public name
    async with another.http:
        await another.sign_in()
        others_key = await another.key()
    for forged in ({}, {"key": ""}, {"key": "0" * 64}, {"key": others_key}):
        answer = await operator.http.post("/ops/letters", data={**wanted, **forged})
        assert answer.status_code == HTTPStatus.FORBIDDEN
    key = await operator.key()
    operator.http.cookies.clear()
    unknown = await operator.http.post("/ops/letters", data={**wanted, "key": key})
    assert unknown.status_code == HTTPStatus.UNAUTHORIZED
    assert len(await post.dead()) == 2


@any_database
@pytest.mark.parametrize(
    "fields",
    [{}, {"id": "1"}, {"id": "1", "do": "burn"}, {"id": "one", "do": "drop"}, {"id": "9" * 30, "do": "drop"}],
)
async def test_what_is_no_form_of_the_page_is_refused(operator: Operator, fields: dict[str, str]) -> None:
    assert (await operator.send("/ops/letters", **fields)).status_code == HTTPStatus.BAD_REQUEST


@any_database
async def test_a_form_that_is_too_large_is_refused(operator: Operator) -> None:
    assert (await operator.sign_in("x" * 5000)).status_code == HTTPStatus.BAD_REQUEST
    assert (await operator.sign_in("ä" * 10)).status_code == HTTPStatus.UNAUTHORIZED


@any_database
async def test_what_others_wrote_is_shown_as_text(operator: Operator, database: Database, clock: FrozenClock) -> None:
    await database.write(lambda connection: outbox.add(connection, PLANTED, {PLANTED: {}}, clock.sql_now()))
    await database.write(lambda connection: outbox.add(connection, "b", {'"><b>': {}}, clock.sql_now()))
    post = Outbox(database, clock)
    for letter in await post.take([PLANTED, "b"], 5):
        await post.bury(letter, error=PLANTED)
    await database.write(lambda connection: outbox.add(connection, PLANTED, {PLANTED: {}}, clock.sql_now()))
    page = await operator.see()
    assert "<script" not in page
    assert "<b>" not in page
    assert sum(row.count(PLANTED) for row in rows(page, "letters")) == 4
    assert [row[0] for row in rows(page, "queues")][-1] == PLANTED
    for done in (PLANTED, "signed-out%22%3E"):
        assert "<script" not in (await operator.http.get("/ops", params={"done": done})).text


async def test_other_services_tell_how_they_are(room: OrderRoom) -> None:
    well = rpc.Server("pb.travel", lambda _: None, host="127.0.0.1", port=0)
    ill = rpc.Server("pb.payment", lambda _: None, host="127.0.0.1", port=0, ping=_fail)
    await well.start()
    await ill.start()
    async with (
        bootstrap.open_channel(well.address) as travel,
        bootstrap.open_channel(ill.address) as payment,
        bootstrap.open_channel(f"127.0.0.1:{free_port()}") as gone,
    ):
        operator = Operator(app_of(room, upstreams={"travel": travel, "payment": payment, "gone": gone}))
        async with operator.http:
            await operator.sign_in()
            found = {row[0]: row[1:3] for row in rows(await operator.see(), "health")}
    await well.stop(0)
    await ill.stop(0)
    assert found["travel"] == ["✓ well", "SERVING"]
    assert found["payment"] == ["✗ not well", "NOT_SERVING"]
    assert found["gone"] == ["✗ not well", "UNAVAILABLE"]
    assert found["database"][0] == "✓ well"


async def _fail() -> None:
    raise TimeoutError


async def test_a_database_that_is_away_is_told_and_the_rest_still_is(clock: FrozenClock) -> None:
    away = Database(create_engine(f"mysql+aiomysql://guest:secret@127.0.0.1:{free_port()}/homestay"))
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW)
    room = assemble(away, clock, rules, travel=FakeTravel(), payments=FakePayments(), timer=FakeTimer())
    operator = Operator(app_of(room))
    async with operator.http:
        await operator.sign_in()
        page = await operator.see()
    await away.close()
    assert rows(page, "health")[0][:2] == ["database", "✗ not well"]
    assert "can't be shown" in words(section(page, "orders"))
    assert "can't be shown" in words(section(page, "letters"))
    assert rows(page, "queues")[0][0] == "order.closing"
    assert "secret" not in page


@any_database
async def test_tables_that_are_not_there_are_told_and_the_rest_still_is(
    operator: Operator, database: Database, clock: FrozenClock
) -> None:
    await fill(database, clock)
    await database.write(lambda connection: connection.execute(sa.text("drop table homestay_order_refund")))
    with capture_logs() as logs:
        page = await operator.see()
    assert "it failed: OperationalError" in words(section(page, "orders"))
    assert [row[0] for row in rows(page, "letters")] == ["2", "1"]
    assert [each["event"] for each in logs] == ["a part of the operators' page can't be shown"]


def test_bars_stand_on_a_scale_of_round_numbers() -> None:
    assert [line.value for line in chart([("a", 0)]).lines] == [0, 1]
    assert [line.value for line in chart([("a", 7), ("b", 3)]).lines] == [0, 2, 4, 6, 8]
    assert [line.value for line in chart([("a", 183)]).lines] == [0, 50, 100, 150, 200]
    drawn = chart([("a", 8), ("b", 4), ("c", 0)], late_from=1)
    full, half, none = drawn.bars
    assert (half.height, none.height) == (full.height / 2, 0)
    assert [bar.is_late for bar in drawn.bars] == [False, True, True]
    assert all(drawn.left < bar.x < bar.x + bar.width < drawn.right for bar in drawn.bars)


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (None, UNKNOWN),
        (timedelta(milliseconds=4), "4 ms"),
        (timedelta(seconds=10), "10 s"),
        (timedelta(seconds=61), "1 min 1 s"),
        (timedelta(hours=5, seconds=7), "5 h"),
        (timedelta(days=1, hours=2, minutes=5), "1 d 2 h"),
    ],
)
def test_a_length_of_time_is_told_in_its_largest_units(delta: timedelta | None, text: str) -> None:
    assert span(delta) == text
