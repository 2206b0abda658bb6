"""Order numbers and check-in codes: the form that is known, and nothing that can be guessed."""

import random
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from domain.order import numbers
from tests.conftest import NOW, SHANGHAI

MANY = 1_000_000
# Of a million draws of 40 bits, two in five runs see two alike; more than these are seen in one of 10^9.
ALIKE = 8


def test_an_sn_is_hso_with_the_local_time_and_eight_random_characters() -> None:
    sn = numbers.order_sn(datetime(2026, 12, 31, 16, 5, 9, 999_999, tzinfo=UTC), SHANGHAI)
    assert re.fullmatch(r"HSO20270101000509[0-9A-HJKMNP-TV-Z]{8}", sn)
    assert len(sn) == 25
    assert numbers.order_sn(NOW, ZoneInfo("America/New_York")).startswith("HSO20260520000000")


def test_a_check_in_code_is_eight_characters_that_nobody_misreads() -> None:
    seen = {letter for _ in range(1000) for letter in numbers.trade_code()}
    assert seen == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert {len(numbers.trade_code()) for _ in range(100)} == {8}


def test_numbers_of_one_moment_and_codes_do_not_repeat() -> None:
    assert len({numbers.order_sn(NOW, SHANGHAI) for _ in range(MANY)}) >= MANY - ALIKE
    assert len({numbers.trade_code() for _ in range(MANY // 10)}) >= MANY // 10 - ALIKE


def test_who_knows_the_state_of_the_random_module_knows_no_number() -> None:
    before = random.getstate()
    try:
        random.seed(1)
        first = numbers.order_sn(NOW, SHANGHAI), numbers.trade_code()
        random.seed(1)
        second = numbers.order_sn(NOW, SHANGHAI), numbers.trade_code()
    finally:
        random.setstate(before)
    assert first[0] != second[0]
    assert first[1] != second[1]
