"""What is refused before any database is touched."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.payment.requests import Charge, Notice, check_charge, check_notice
from domain.payment.states import PROVIDER_WORDS, PayStatus

CHARGE = Charge(user_id=7, order_sn="HSO20260301120506ABCDEFGH", pay_mode="WECHAT_PAY", total=59_800)
NOTICE = Notice(sn="PMT20260301120506ABCDEFGH", status=PayStatus.SUCCESS)
MAX = 2**53 - 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"user_id": 1},
        {"user_id": 2**63 - 1},
        {"total": 1},
        {"total": MAX},
        {"order_sn": "x"},
        {"order_sn": "~" * 25},
        {"pay_mode": "W" * 20},
        {"service_type": "s" * 32},
    ],
)
def test_a_charge_within_the_rules_is_accepted(changes: dict[str, Any]) -> None:
    check_charge(replace(CHARGE, **changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": 0}, "userId"),
        ({"user_id": -7}, "userId"),
        ({"total": 0}, "payTotal"),
        ({"total": -1}, "payTotal"),
        ({"total": MAX + 1}, "payTotal"),
        ({"order_sn": ""}, "orderSn"),
        ({"order_sn": "x" * 26}, "orderSn"),
        ({"order_sn": "HSO1 "}, "orderSn"),
        ({"order_sn": "HSO\0"}, "orderSn"),
        ({"order_sn": "订单"}, "orderSn"),
        ({"pay_mode": ""}, "payModel"),
        ({"pay_mode": "W" * 21}, "payModel"),
        ({"pay_mode": "WECHAT PAY"}, "payModel"),
        ({"service_type": ""}, "serviceType"),
        ({"service_type": "s" * 33}, "serviceType"),
        ({"service_type": "s\n"}, "serviceType"),
    ],
)
def test_a_charge_that_breaks_a_rule_is_refused_by_the_name_of_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_charge(replace(CHARGE, **changes))
    assert refusal.value.field == (field,)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"transaction_id": "4" * 32, "trade_type": "J" * 20},
        {"trade_state_desc": "支付成功" * 64},
        {"trade_state_desc": "💸" * 256},
    ],
)
def test_a_notice_within_the_rules_is_accepted(changes: dict[str, Any]) -> None:
    check_notice(replace(NOTICE, **changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trade_state": "PAID"}, "tradeState"),
        ({"trade_state": "success"}, "tradeState"),
        ({"transaction_id": "4" * 33}, "transactionId"),
        ({"transaction_id": "4 "}, "transactionId"),
        ({"trade_type": "J" * 21}, "tradeType"),
        ({"trade_type": "J\0"}, "tradeType"),
        ({"trade_state_desc": "💸" * 257}, "tradeStateDesc"),
        ({"trade_state_desc": "a\0b"}, "tradeStateDesc"),
    ],
)
def test_a_notice_that_breaks_a_rule_is_refused_by_the_name_of_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_notice(replace(NOTICE, **changes))
    assert refusal.value.field == (field,)


@given(word=st.sampled_from(sorted(PROVIDER_WORDS)), status=st.sampled_from(PayStatus))
def test_a_notice_may_not_contradict_itself(word: str, status: PayStatus) -> None:
    notice = replace(NOTICE, status=status, trade_state=word)
    if PROVIDER_WORDS[word] is status:
        check_notice(notice)
    else:
        with pytest.raises(InvalidInput) as refusal:
            check_notice(notice)
        assert refusal.value.field == ("tradeState",)
