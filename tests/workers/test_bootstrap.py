from pathlib import Path

import pytest

from domain.errors import RateLimited
from domain.order.ports import NoLimit
from tests.fakes import FakeTimer
from workers import bootstrap
from workers.settings import ServiceSettings, Settings, SettingsError


def settings(home: Path, **named: int) -> Settings:
    return Settings(data_dir=home, **named)  # type: ignore[arg-type] # the numbers of fields that are numbers


async def test_guests_are_limited_as_the_settings_say(tmp_path: Path) -> None:
    async with bootstrap.open_orders(
        settings(tmp_path, creates_per_minute=2, max_unpaid_orders=3), FakeTimer()
    ) as room:
        fair_use = room.orders._fair_use
        await fair_use.admit(7)
        await fair_use.admit(7)
        with pytest.raises(RateLimited):
            await fair_use.admit(7)
        assert room.orders._rules.max_unpaid == 3


async def test_by_default_they_have_ten_attempts_a_minute_and_five_unpaid_orders(tmp_path: Path) -> None:
    async with bootstrap.open_orders(settings(tmp_path), FakeTimer()) as room:
        for _ in range(10):
            await room.orders._fair_use.admit(7)
        with pytest.raises(RateLimited):
            await room.orders._fair_use.admit(7)
        assert room.orders._rules.max_unpaid == 5


async def test_nothing_stands_for_no_limit(tmp_path: Path) -> None:
    async with bootstrap.open_orders(
        settings(tmp_path, creates_per_minute=0, max_unpaid_orders=0), FakeTimer()
    ) as room:
        assert isinstance(room.orders._fair_use, NoLimit)
        assert room.orders._rules.max_unpaid is None


async def test_no_announcement_goes_out_unsigned(tmp_path: Path) -> None:
    told = ServiceSettings(data_dir=tmp_path, notify_url="https://push.internal/hook")
    with pytest.raises(SettingsError, match="HOMESTAY_NOTIFY_SECRET"):
        async with bootstrap.open_webhook(told):
            pass
