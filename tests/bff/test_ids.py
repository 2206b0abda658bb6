import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.graph import ids
from domain.errors import InvalidInput


def packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@given(st.integers(1, 2**63 - 1))
def test_what_was_given_out_is_read_back(number: int) -> None:
    assert ids.parse_cursor(ids.cursor(number), "after") == number
    homestay = ids.global_id(ids.HOMESTAY, number)
    assert ids.parse_global_id(homestay) == (ids.HOMESTAY, str(number))
    assert ids.parse_homestay_id(homestay) == ids.parse_homestay_id(str(number)) == number


def test_objects_of_two_kinds_have_two_ids() -> None:
    assert ids.global_id(ids.HOMESTAY, 1) != ids.global_id(ids.ORDER, 1) != ids.cursor(1)


@given(st.text() | st.text("ABCDabcd0123+/-_=:") | st.text("order:Homestay0123456789-").map(packed))
def test_whatever_is_read_ends_in_an_answer(value: str) -> None:
    parsed = ids.parse_global_id(value)
    assert parsed is None or ids.global_id(*parsed) == value
    number = ids.parse_homestay_id(value)
    assert number is None or 0 < number < 2**63
    with contextlib.suppress(InvalidInput):
        assert ids.cursor(ids.parse_cursor(value, "after")) == value


@pytest.mark.parametrize(
    "value",
    [
        packed("order:01"),
        packed("order:1 "),
        packed("order:1\n"),
        packed("Order:1"),
        packed("order:1").rstrip("="),
        packed("order:1") + "=",
        packed("order:1") + "\n",
        packed("order:1")[:-2] + "R=",
        "b3JkZXI6MR==",
    ],
)
def test_a_cursor_is_read_only_in_the_form_in_which_it_was_given(value: str) -> None:
    assert value != ids.cursor(1)
    with pytest.raises(InvalidInput):
        ids.parse_cursor(value, "before")


@pytest.mark.parametrize("value", ["SG9tZXN0YXk6MR==", "SG9tZXN0YXk6MQ", "SG9tZXN0YXk6MQ===", "SG9tZXN0YXk6MQ==\n"])
def test_a_global_id_is_read_only_in_the_form_in_which_it_was_given(value: str) -> None:
    assert ids.parse_global_id(ids.global_id(ids.HOMESTAY, 1)) == (ids.HOMESTAY, "1")
    assert ids.parse_global_id(value) is None
