"""What others ask of payments, and what of it is refused before any database is touched. Pure: no time, no table."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.errors import InvalidInput
from domain.money import MAX_FEN
from domain.payment import states
from domain.payment.models import WIDTHS
from domain.payment.states import PayStatus

SERVICE_TYPE: Final = "homestayOrder"
# Orders or payments in one answer.
MAX_AT_ONCE: Final = 500
# Numbers and words of other systems are compared as they are; blanks at their ends a database would drop unseen.
_WORD: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What is to be paid.

    Attributes:
        user_id: who pays.
        order_sn: the order it is for.
        pay_mode: how, e.g. WECHAT_PAY.
        total: fen.
        service_type: the kind of order.
        expire_time: when the provider is to take no money any more; None sets no limit.
    """

    user_id: int
    order_sn: str
    pay_mode: str
    total: int
    service_type: str = SERVICE_TYPE
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The provider's word on a payment. An empty text says nothing.

    Attributes:
        sn: the payment's own number.
        status: how it stands now.
        trade_state: the same in the provider's word, e.g. USERPAYING.
        transaction_id: the provider's number for it.
        trade_type: how it was paid, e.g. JSAPI.
        trade_state_desc: a sentence for people.
        paid_at: when the money came.
    """

    sn: str
    status: PayStatus
    trade_state: str = ""
    transaction_id: str = ""
    trade_type: str = ""
    trade_state_desc: str = ""
    paid_at: datetime | None = None


def check_charge(charge: Charge) -> None:
    """Refuses what no payment can be opened for.

    Raises:
        InvalidInput: a field breaks a rule; it is named as the wire names it.
    """
    if charge.user_id < 1:
        raise InvalidInput("A positive number is needed.", "userId")
    if not 1 <= charge.total <= MAX_FEN:
        raise InvalidInput("The amount is out of range.", "payTotal")
    for text, column, field in (
        (charge.order_sn, "order_sn", "orderSn"),
        (charge.pay_mode, "pay_mode", "payModel"),
        (charge.service_type, "service_type", "serviceType"),
    ):
        if not text:
            raise InvalidInput("This can't be empty.", field)
        _check_word(text, column, field)


def check_notice(notice: Notice) -> None:
    """Refuses a notice that contradicts itself or does not fit the table.

    Raises:
        InvalidInput: a field breaks a rule; it is named as the wire names it.
    """
    if notice.trade_state and states.from_provider(notice.trade_state) is not notice.status:
        raise InvalidInput("The trade state and the pay status contradict each other.", "tradeState")
    _check_word(notice.transaction_id, "transaction_id", "transactionId")
    _check_word(notice.trade_type, "trade_type", "tradeType")
    _check_width(notice.trade_state_desc, "trade_state_desc", "tradeStateDesc")
    if "\0" in notice.trade_state_desc:
        raise InvalidInput("A text has no NUL character.", "tradeStateDesc")


def check_order_sns(order_sns: Collection[str]) -> None:
    """Refuses a question about too many orders, or about what is no order's number.

    Raises:
        InvalidInput: the numbers break a rule.
    """
    if len(order_sns) > MAX_AT_ONCE:
        raise InvalidInput(f"At most {MAX_AT_ONCE} orders can be asked for at once.", "orderSns")
    for order_sn in order_sns:
        if not order_sn:
            raise InvalidInput("An order's number can't be empty.", "orderSns")
        _check_word(order_sn, "order_sn", "orderSns")


def check_page(after_id: int, limit: int) -> None:
    """Refuses a page that can't be.

    Raises:
        InvalidInput: a number is out of its range; it is named as the wire names it.
    """
    if after_id < 0:
        raise InvalidInput("An id is not negative.", "afterId")
    if not 1 <= limit <= MAX_AT_ONCE:
        raise InvalidInput(f"Between 1 and {MAX_AT_ONCE} payments can be asked for at once.", "limit")


def _check_word(text: str, column: str, field: str) -> None:
    _check_width(text, column, field)
    if not _WORD.fullmatch(text):
        raise InvalidInput("Only visible ASCII characters are allowed.", field)


def _check_width(text: str, column: str, field: str) -> None:
    if len(text) > WIDTHS[column]:
        raise InvalidInput(f"At most {WIDTHS[column]} characters are allowed.", field)
