"""Payment numbers."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from domain.payment.numbers import payment_sn

NOW = datetime(2026, 2, 28, 18, 5, 9, tzinfo=UTC)


def test_a_number_has_the_existing_systems_form_in_local_time() -> None:
    sn = payment_sn(NOW, ZoneInfo("Asia/Shanghai"))
    assert re.fullmatch(r"PMT20260301020509[0-9A-HJKMNP-TV-Z]{8}", sn)
    assert len(sn) == 25


def test_numbers_of_one_second_differ_and_use_every_character() -> None:
    drawn = [payment_sn(NOW, ZoneInfo("UTC"))[17:] for _ in range(2_000)]
    assert len(set(drawn)) == len(drawn)
    assert len(set("".join(drawn))) == 32
