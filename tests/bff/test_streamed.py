"""What makes answers one by one ends with whoever sends them."""

from collections.abc import AsyncIterator

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from bff.http import streamed
from bff.http.time_limit import TimeLimit


async def test_what_makes_events_ends_with_their_response_though_none_was_sent() -> None:
    ended = False

    async def answers() -> AsyncIterator[object]:
        nonlocal ended
        try:
            yield 1
            yield 2
        finally:
            ended = True

    async def gone(*_: object) -> None:
        raise ClientDisconnect

    begun = await streamed.begin(answers(), TimeLimit(5))  # type: ignore[arg-type] # of whatever answers are
    assert not ended
    with pytest.raises(ClientDisconnect):
        await streamed.Events(PlainTextResponse(""), begun)({"type": "http"}, gone, gone)  # type: ignore[arg-type]
    assert ended
