"""Refusals as part of the schema: a mutation that is refused answers why, and raises nothing."""

from typing import Self

import strawberry

from domain.errors import ErrorCode, HomestayError, InvalidTransition, Refusal
from domain.order.states import TradeState


@strawberry.interface(description="What went wrong, for people and for programs.")
class UserError:
    message: str = strawberry.field(description="For people; not stable.")
    code: ErrorCode = strawberry.field(description="For programs; stable.")
    field: list[str] | None = strawberry.field(description='Path into the input, e.g. `["input", "livePeopleNum"]`.')


@strawberry.type(description="An input field that breaks a rule.")
class InputError(UserError):
    @classmethod
    def of(cls, error: HomestayError, field: list[str] | None) -> Self:
        return cls(message=error.message, code=error.code, field=field)


@strawberry.type(description="The order is not in a state that allows this.")
class InvalidTransitionError(UserError):
    from_: TradeState = strawberry.field(name="from", description="State the order is in.")
    to: TradeState = strawberry.field(description="State asked for.")


def user_error(error: HomestayError, *prefix: str) -> UserError:
    """A refusal or a failed upstream as the schema tells it.

    Args:
        error: what a use case raised.
        prefix: where in the mutation's arguments the use case's own fields are.
    """
    field = [*prefix, *error.field] if isinstance(error, Refusal) and error.field else None
    if isinstance(error, InvalidTransition):
        return InvalidTransitionError(
            message=error.message,
            code=error.code,
            field=field,
            from_=TradeState(error.current),
            to=TradeState(error.wanted),
        )
    return InputError.of(error, field)
