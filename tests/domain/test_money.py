import json

import pytest

from domain.errors import InvalidInput
from domain.money import MAX_FEN, checked


@pytest.mark.parametrize("fen", [0, 1, 29_900, MAX_FEN - 1, MAX_FEN])
def test_an_amount_that_every_reader_keeps_exactly_is_money(fen: int) -> None:
    assert checked(fen) == fen
    assert int(float(fen)) == json.loads(json.dumps(fen)) == fen


@pytest.mark.parametrize("fen", [-1, -(2**63), MAX_FEN + 1, 2**63 - 1, 2**64, 10**30])
def test_any_other_amount_is_refused(fen: int) -> None:
    with pytest.raises(InvalidInput):
        checked(fen)


def test_the_limit_is_the_last_integer_without_a_double_that_stands_for_two() -> None:
    assert float(MAX_FEN) != float(MAX_FEN + 1)
    assert float(MAX_FEN + 1) == float(MAX_FEN + 2)
