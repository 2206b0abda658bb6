"""The first of several answers: made in time, and from a place among all that are worked on, as an only answer is.

A query or mutation has one answer whatever carries it; what comes after the first is a subscription's, which waits for
as long as its client listens, and has no limit but those of who follows orders.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from graphql import GraphQLError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import PreExecutionError

from bff.errors import EdgeCode
from bff.http.time_limit import TimeLimit

_END: Final = object()


class Begun:
    """Answers of which the first is there.

    Args:
        first: it, or what stands for none.
        others: that come after it.
    """

    def __init__(self, first: Any, others: StreamResult) -> None:  # noqa: ANN401 -- whatever is executed
        self._first = first
        self._others = others

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401
        """The next one."""
        first, self._first = self._first, None
        if first is _END:
            raise StopAsyncIteration
        return await anext(self._others) if first is None else first

    async def aclose(self) -> None:
        """Ends what makes the others."""
        await self._others.aclose()


async def begin(results: StreamResult, limit: TimeLimit) -> Begun:
    """Waits for the first answer, which ends in error where it is not there in time.

    Args:
        results: answers that nobody has begun to make.
        limit: how long the first may take.
    """
    try:
        first = await limit.keep(anext(results, _END))
    except TimeoutError:
        error = GraphQLError(too_late(limit), extensions={"code": EdgeCode.UPSTREAM_UNAVAILABLE})
        first = PreExecutionError(data=None, errors=[error])
    except BaseException:
        await results.aclose()
        raise
    return Begun(first, results)


def too_late(limit: TimeLimit) -> str:
    """Why there is no answer."""
    return f"There was no answer within {limit.seconds:.0f} s. A mutation may have been carried out or not."


class Events(Response):
    """A response that ends what makes its events however it ends itself: also where it had not begun to send any.

    Args:
        response: sends them.
        begun: they.
    """

    def __init__(self, response: Response, begun: Begun) -> None:
        self._response = response
        self._begun = begun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope, receive, send)
        finally:
            await self._begun.aclose()
