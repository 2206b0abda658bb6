"""The tables of payment states, each written down a second time by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.payment import states
from domain.payment.states import DEFAULT_WORDS, MOVES, PROVIDER_WORDS, PayStatus

FAILED, WAIT, SUCCESS, REFUNDED = PayStatus.FAILED, PayStatus.WAIT, PayStatus.SUCCESS, PayStatus.REFUNDED

LEGAL = {(WAIT, FAILED), (WAIT, SUCCESS), (FAILED, SUCCESS), (SUCCESS, REFUNDED)}
WORDS = {
    "SUCCESS": 1,
    "REFUND": 2,
    "NOTPAY": 0,
    "CLOSED": -1,
    "REVOKED": -1,
    "USERPAYING": 0,
    "PAYERROR": -1,
    "ACCEPT": 0,
}


def test_the_numbers_are_those_of_the_wire() -> None:
    assert {status.name: int(status) for status in PayStatus} == {"FAILED": -1, "WAIT": 0, "SUCCESS": 1, "REFUNDED": 2}


def test_the_legal_moves_are_these_and_no_others() -> None:
    assert {(current, wanted) for current, ends in MOVES.items() for wanted in ends} == LEGAL
    assert set(MOVES) == set(PayStatus)


@pytest.mark.parametrize("wanted", PayStatus)
def test_a_status_is_reached_from_where_a_legal_move_starts(wanted: PayStatus) -> None:
    assert states.origins(wanted) == {current for current, end in LEGAL if end is wanted}


@pytest.mark.parametrize(("word", "status"), WORDS.items())
def test_each_of_the_providers_words_has_its_status(word: str, status: int) -> None:
    assert states.from_provider(word) == status


def test_the_provider_has_no_other_words() -> None:
    assert set(PROVIDER_WORDS) == set(WORDS)


def test_the_word_stored_for_want_of_another_means_the_status() -> None:
    assert {status: states.from_provider(word) for status, word in DEFAULT_WORDS.items()} == {
        status: status for status in PayStatus
    }


@given(st.text().filter(lambda word: word not in WORDS) | st.sampled_from(["success", "SUCCESS ", "FAIL", "PAID"]))
def test_an_unknown_word_is_refused_not_guessed_at(word: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        states.from_provider(word)
    assert refusal.value.field == ("tradeState",)


@given(st.integers().filter(lambda number: not -1 <= number <= 2))
def test_an_unknown_number_is_refused(number: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        states.from_wire(number)
    assert refusal.value.field == ("payStatus",)
