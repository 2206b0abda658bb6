"""What can be refused and what can fail, each with a stable code.

HomestayError
├── Refusal                 expected: whoever asks can do something about it
│   ├── InvalidInput        INVALID_INPUT        a field breaks a rule
│   ├── TooManyGuests       TOO_MANY_GUESTS      more guests than the homestay holds
│   ├── StayTooLong         STAY_TOO_LONG        more nights than one order may have
│   ├── HomestayNotFound    HOMESTAY_NOT_FOUND   the travel service has no such homestay
│   ├── HomestayOffShelf    HOMESTAY_OFF_SHELF   it is not on sale
│   ├── DatesUnavailable    DATES_UNAVAILABLE    nights asked for are taken
│   ├── PriceChanged        PRICE_CHANGED        it costs something else now (in domain.order.pricing: it holds a quote)
│   ├── KeyReused           IDEMPOTENCY_KEY_REUSED   the key stands for another request
│   ├── KeyInProgress       IDEMPOTENCY_IN_PROGRESS  the request with this key is still running
│   ├── RateLimited         RATE_LIMITED         too much of what is free
│   ├── OrderNotFound       ORDER_NOT_FOUND      no such order, or it is somebody else's
│   ├── PaymentNotFound     PAYMENT_NOT_FOUND    no such payment
│   ├── RefundUnsupported   REFUND_UNSUPPORTED   the payment service gives no money back by itself
│   ├── AnnouncementRefused ANNOUNCEMENT_REFUSED who tells guests of changes will not take this one
│   └── InvalidTransition   INVALID_TRANSITION   the state it is in does not allow this
└── Failure                 nobody's fault here: try again later
    ├── UpstreamUnavailable UPSTREAM_UNAVAILABLE a service that we need can't be asked
    │   └── UpstreamNonsense                     it answers, and the answer makes no sense
    └── DatabaseUnavailable UPSTREAM_UNAVAILABLE the database can't be used
        └── DatabaseBusy                         it is there, and others are in the way
            └── NoConnectionFree                 all connections that we may have are in use
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import ClassVar, Final


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code tells whoever writes a client; `docs/errors.md` is made of these.

    Attributes:
        meaning: what happened.
        advice: what a client does.
    """

    meaning: str
    advice: str


class ErrorCode(StrEnum):
    """Machine-readable cause of a refusal or failure. Stable; new values may be added."""

    INVALID_INPUT = "INVALID_INPUT"
    HOMESTAY_NOT_FOUND = "HOMESTAY_NOT_FOUND"
    HOMESTAY_OFF_SHELF = "HOMESTAY_OFF_SHELF"
    TOO_MANY_GUESTS = "TOO_MANY_GUESTS"
    STAY_TOO_LONG = "STAY_TOO_LONG"
    DATES_UNAVAILABLE = "DATES_UNAVAILABLE"
    PRICE_CHANGED = "PRICE_CHANGED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
    RATE_LIMITED = "RATE_LIMITED"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    PAYMENT_NOT_FOUND = "PAYMENT_NOT_FOUND"
    REFUND_UNSUPPORTED = "REFUND_UNSUPPORTED"
    ANNOUNCEMENT_REFUSED = "ANNOUNCEMENT_REFUSED"
    INVALID_TRANSITION = "INVALID_TRANSITION"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"


EXPLAINED: Final[Mapping[ErrorCode, Explanation]] = {
    ErrorCode.INVALID_INPUT: Explanation("a field breaks a rule; `field` names it", "show the message at the field"),
    ErrorCode.HOMESTAY_NOT_FOUND: Explanation("the travel service has no such homestay", "back to the search"),
    ErrorCode.HOMESTAY_OFF_SHELF: Explanation("it is not on sale", "back to the search"),
    ErrorCode.TOO_MANY_GUESTS: Explanation("it holds fewer guests", "ask for fewer, or another homestay"),
    ErrorCode.STAY_TOO_LONG: Explanation("more than 90 nights", "split the stay"),
    ErrorCode.DATES_UNAVAILABLE: Explanation(
        "some nights have not enough free places; `nights` of `DatesUnavailableError` names them",
        "show the calendar, ask for other nights",
    ),
    ErrorCode.PRICE_CHANGED: Explanation(
        "the price is not the `expectedTotalMinor` that was shown; `quote` of `PriceChangedError` is the one of now",
        "show it, and ask again with it if the guest agrees",
    ),
    ErrorCode.IDEMPOTENCY_KEY_REUSED: Explanation(
        "the key stands for another request of the last 24 hours",
        "mend the client: a key for each thing that a guest wants",
    ),
    ErrorCode.IDEMPOTENCY_IN_PROGRESS: Explanation(
        "the request with this key is still running", "send it again, with the same key, after a second"
    ),
    ErrorCode.RATE_LIMITED: Explanation(
        "too many orders in one minute, or too many that wait for their payment",
        "try again after `retryAfter` seconds of `RateLimitedError`, or pay or give up an order first",
    ),
    ErrorCode.ORDER_NOT_FOUND: Explanation("no such order, or it is another guest's", "back to the list"),
    ErrorCode.PAYMENT_NOT_FOUND: Explanation("no such payment", "ask with the number that the payment service gave"),
    ErrorCode.REFUND_UNSUPPORTED: Explanation(
        "the payment service gives no money back by itself", "give it back by hand"
    ),
    ErrorCode.ANNOUNCEMENT_REFUSED: Explanation(
        "the receiver of announcements will not take this one", "mend the receiver, then `homestay dead-letters retry`"
    ),
    ErrorCode.INVALID_TRANSITION: Explanation(
        "the state the order is in does not allow this; `from` and `to` say which",
        "read the order again and show what is possible",
    ),
    ErrorCode.UPSTREAM_UNAVAILABLE: Explanation(
        "the travel or payment service can't be asked",
        "try again, with the same key; no order was placed or moved, and a payment that may have been opened is found "
        "again",
    ),
}


class HomestayError(Exception):
    """Anything that this product refuses or fails at knowingly."""

    code: ClassVar[ErrorCode]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refusal(HomestayError):
    """An expected no.

    Attributes:
        field: path into the request, in the contract's names and outermost first; empty when no single
            field is to blame.
    """

    def __init__(self, message: str, *field: str) -> None:
        super().__init__(message)
        self.field = field


class InvalidInput(Refusal):
    code = ErrorCode.INVALID_INPUT


class TooManyGuests(Refusal):
    code = ErrorCode.TOO_MANY_GUESTS


class StayTooLong(Refusal):
    code = ErrorCode.STAY_TOO_LONG


class HomestayNotFound(Refusal):
    code = ErrorCode.HOMESTAY_NOT_FOUND


class HomestayOffShelf(Refusal):
    code = ErrorCode.HOMESTAY_OFF_SHELF


class DatesUnavailable(Refusal):
    """Nights asked for are taken; `nights` names them."""

    code = ErrorCode.DATES_UNAVAILABLE

    def __init__(self, message: str, *field: str, nights: Sequence[date]) -> None:
        super().__init__(message, *field)
        self.nights = nights


class KeyReused(Refusal):
    code = ErrorCode.IDEMPOTENCY_KEY_REUSED


class KeyInProgress(Refusal):
    code = ErrorCode.IDEMPOTENCY_IN_PROGRESS


class RateLimited(Refusal):
    """Too much of what is free; `retry_after` says when there will be some again, in whole seconds."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, message: str, *field: str, retry_after: int) -> None:
        super().__init__(message, *field)
        self.retry_after = retry_after


class OrderNotFound(Refusal):
    code = ErrorCode.ORDER_NOT_FOUND


class PaymentNotFound(Refusal):
    code = ErrorCode.PAYMENT_NOT_FOUND


class RefundUnsupported(Refusal):
    code = ErrorCode.REFUND_UNSUPPORTED


class AnnouncementRefused(Refusal):
    code = ErrorCode.ANNOUNCEMENT_REFUSED


class InvalidTransition(Refusal):
    """The move is not in the table of legal moves, or somebody else made another one first."""

    code = ErrorCode.INVALID_TRANSITION

    def __init__(self, message: str, *, current: IntEnum, wanted: IntEnum) -> None:
        super().__init__(message)
        self.current = current
        self.wanted = wanted


class Failure(HomestayError):
    """Something that we depend on does not work; the same request may succeed later.

    Attributes:
        reason: what went wrong, for whoever runs the product; not for guests.
    """

    code = ErrorCode.UPSTREAM_UNAVAILABLE

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class UpstreamUnavailable(Failure):
    """A service could not be asked in time, or answered what makes no sense."""

    def __init__(self, upstream: str, reason: str) -> None:
        super().__init__(f"The {upstream} service can't be asked right now; please try again.", reason)
        self.upstream = upstream


class UpstreamNonsense(UpstreamUnavailable):
    """Asked again, the service would say the same; of several things asked for at once, one may be to blame."""


class DatabaseUnavailable(Failure):
    """The database can't be used. Where it was lost within a commit, whether that was made is not known."""

    def __init__(self, reason: str) -> None:
        super().__init__("Orders can't be read or written right now; please try again.", reason)


class DatabaseBusy(DatabaseUnavailable):
    """The database is there, and others are in the way. Nothing was committed."""


class NoConnectionFree(DatabaseBusy):
    """All connections that we may have are in use. Nothing was sent."""
