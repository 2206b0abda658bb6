"""How many WebSockets there are of whom, and for how long of who is nobody in particular."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from tests.bff.client import ANN, BOB, any_database
from tests.bff.streams import Socket, socket_to, token

pytestmark = any_database

LATER = 1013


async def turned_away(socket: Socket, authorization: str | None = None) -> int | None:
    """The code that a socket is closed with before it is let in."""
    payload = {} if authorization is None else {"Authorization": authorization}
    await socket.send(type="connection_init", payload=payload)
    async with asyncio.timeout(5):
        code, reason = await socket.closed()
    assert reason
    return code


async def let_in(port: int, authorization: str | None = None) -> None:
    """Opens a socket as soon as there is room for it."""
    async with asyncio.timeout(5):
        while True:
            async with socket_to(port) as socket:
                payload = {} if authorization is None else {"Authorization": authorization}
                await socket.send(type="connection_init", payload=payload)
                try:
                    assert (await socket.receive())["type"] == "connection_ack"
                except ConnectionClosed:
                    continue
                return


async def test_a_socket_of_nobody_in_particular_ends_by_itself(served: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.http.sockets.NOBODY_FOR", 0.3)
    async with socket_to(served) as nobodys, socket_to(served) as anns, asyncio.timeout(5):
        await anns.init(token(ANN))
        await nobodys.init()
        await nobodys.subscribe("{ __typename }")
        assert await nobodys.data() == "Query"
        assert (await nobodys.closed())[0] == 4403
        await asyncio.sleep(0.3)
        await anns.subscribe("{ __typename }")
        assert await anns.data() == "Query"


async def test_nobody_in_particular_has_so_many_sockets_and_guests_have_room_beside_them(
    served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bff.http.sockets.MOST_OF_NOBODY", 2)
    async with socket_to(served) as one, socket_to(served) as two, socket_to(served) as three:
        await one.init()
        await two.init()
        assert await turned_away(three) == LATER
        async with socket_to(served) as anns:
            await anns.init(token(ANN))
    await let_in(served)


async def test_a_guest_has_so_many_sockets_and_others_have_theirs(served: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.http.sockets.MOST_OF_A_GUEST", 2)
    async with socket_to(served) as one, socket_to(served) as two, socket_to(served) as three:
        await one.init(token(ANN))
        await two.init(token(ANN))
        assert await turned_away(three, token(ANN)) == LATER
        async with socket_to(served) as bobs, socket_to(served) as nobodys:
            await bobs.init(token(BOB))
            await nobodys.init()
    await let_in(served, token(ANN))


async def test_who_says_twice_who_they_are_is_counted_once(served: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.http.sockets.MOST_OF_A_GUEST", 1)
    async with socket_to(served) as socket:
        await socket.init(token(ANN))
        await socket.send(type="connection_init", payload={"Authorization": token(BOB)})
        assert (await socket.closed())[0] == 4429
    await let_in(served, token(ANN))
    await let_in(served, token(BOB))
