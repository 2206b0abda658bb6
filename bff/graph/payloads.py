"""What mutations take and give back: the translation between their arguments and use cases. Nothing here decides."""

from datetime import date

import strawberry
from strawberry.types.unset import UNSET

from bff.graph import ids
from bff.graph.refusals import UserError
from bff.graph.scalars import BigInt
from bff.graph.types import HomestayOrder, OrderPayment
from domain.order.pricing import Stay


@strawberry.input(description="What the guest wants.")
class CreateHomestayOrderInput:
    homestay_id: strawberry.ID
    live_start_date: date
    live_end_date: date = strawberry.field(description="Day of leaving; the night before it is the last one paid.")
    live_people_num: int
    need_food: bool = False
    remark: str = strawberry.field(default="", description="At most 64 characters.")
    expected_total_minor: BigInt | None = strawberry.field(
        default=UNSET, description="Refuse when the server's price differs from what the client showed."
    )
    idempotency_key: str | None = strawberry.field(
        default=UNSET,
        description=(
            "Client-made unique key, 1-64 characters; the same key gives the same order for 24 h. "
            "The `Idempotency-Key` header does the same."
        ),
    )

    def stay(self) -> Stay:
        """The same as a domain value.

        Raises:
            InvalidInput: what should name a homestay can't.
        """
        return Stay(
            homestay_id=ids.homestay_number(self.homestay_id),
            start=self.live_start_date,
            end=self.live_end_date,
            guests=self.live_people_num,
            food=self.need_food,
            remark=self.remark,
        )


@strawberry.type(description="Result of createHomestayOrder: exactly one of `order` and a non-empty `userErrors`.")
class CreateHomestayOrderPayload:
    order: HomestayOrder | None = None
    replayed: bool = strawberry.field(
        default=False, description="True when an earlier call with this key made the order."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of payHomestayOrder.")
class PayHomestayOrderPayload:
    payment: OrderPayment | None = None
    order: HomestayOrder | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of cancelHomestayOrder.")
class CancelHomestayOrderPayload:
    order: HomestayOrder | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)
