"""Refusals as part of the schema: a mutation that is refused answers why, and raises nothing."""

from datetime import date
from typing import Any, Final

import strawberry
import structlog

from bff.context import RequestContext
from bff.graph.enums import NOT_FOR_GUESTS
from bff.graph.types import HomestayQuote
from bff.metrics import ERRORS, expect, failed
from domain.errors import (
    DatabaseUnavailable,
    DatesUnavailable,
    ErrorCode,
    Failure,
    HomestayError,
    InvalidTransition,
    RateLimited,
    Refusal,
)
from domain.order.pricing import PriceChanged
from domain.order.states import TradeState

log = structlog.get_logger(__name__)

expect(set(ErrorCode) - NOT_FOR_GUESTS)


@strawberry.interface(description="What went wrong, for people and for programs.")
class UserError:
    message: str = strawberry.field(description="For people; not stable.")
    code: ErrorCode = strawberry.field(description="For programs; stable.")
    field: list[str] | None = strawberry.field(description='Path into the input, e.g. `["input", "livePeopleNum"]`.')


@strawberry.type(description="An input field that breaks a rule.")
class InputError(UserError):
    pass


@strawberry.type(description="The nights asked for are taken.")
class DatesUnavailableError(UserError):
    nights: list[date] = strawberry.field(description="Nights that are taken.")


@strawberry.type(description="The price is no longer the one the client showed.")
class PriceChangedError(UserError):
    quote: HomestayQuote = strawberry.field(description="The price now.")


@strawberry.type(description="The order is not in a state that allows this.")
class InvalidTransitionError(UserError):
    from_: TradeState = strawberry.field(name="from", description="State the order is in.")
    to: TradeState = strawberry.field(description="State asked for.")


@strawberry.type(description="Too much was asked for of what is free.")
class RateLimitedError(UserError):
    retry_after: int = strawberry.field(description="Seconds until it may work again.")


# No field has these types, so the schema must be told of them.
KINDS: Final = (InputError, DatesUnavailableError, PriceChangedError, InvalidTransitionError, RateLimitedError)


def user_error(context: RequestContext, error: HomestayError, *prefix: str) -> UserError:
    """A refusal, or what failed, as the schema tells it. What failed is logged, as it is nobody's doing.

    Args:
        context: the request's; of several mutations that are refused alike, one makes it an operation that failed.
        error: what a use case raised.
        prefix: where in the mutation's arguments the use case's own fields are.

    Raises:
        DatabaseUnavailable: that is what it is. A refusal says that nothing was changed, and here nobody knows: the
            database may have been lost within a commit, or after it.
    """
    if isinstance(error, DatabaseUnavailable):
        raise error
    if isinstance(error, Failure):
        log.warning("can't be done now", reason=error.reason)
    ERRORS.labels(error.code).inc()
    if error.code not in context.refused_by:
        context.refused_by |= {error.code}
        failed([error.code])
    field = [*prefix, *error.field] if isinstance(error, Refusal) and error.field else None
    told: dict[str, Any] = {"message": error.message, "code": error.code, "field": field}
    match error:
        case DatesUnavailable():
            return DatesUnavailableError(**told, nights=list(error.nights))
        case PriceChanged():
            return PriceChangedError(**told, quote=HomestayQuote.of(error.offer))
        case InvalidTransition():
            return InvalidTransitionError(**told, from_=TradeState(error.current), to=TradeState(error.wanted))
        case RateLimited():
            return RateLimitedError(**told, retry_after=error.retry_after)
    return InputError(**told)
