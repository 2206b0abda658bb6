from pathlib import Path

import pytest

from workers.settings import DEVELOPMENT_KEY, Settings, SettingsError, read

PRODUCTION = {
    "HOMESTAY_ENV": "production",
    "HOMESTAY_JWT_SECRET": "a-key-of-this-installation-and-no-other",
    "HOMESTAY_DATABASE_URL": "mysql+aiomysql://user:word@db/orders",
    "HOMESTAY_BROKER_URL": "redis://redis:6379/0",
    "HOMESTAY_TRAVEL_ADDR": "travel:2003",
    "HOMESTAY_PAYMENT_ADDR": "payment:2002",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HOMESTAY_{name.upper()}", raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_with_nothing_set_everything_is_served_from_inside() -> None:
    settings = read()
    assert settings.database.startswith("sqlite+aiosqlite:///")
    assert (settings.travel, settings.payment) == ("127.0.0.1:2003", "127.0.0.1:2002")
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.pay_window_delta.total_seconds() == 1200
    assert (settings.shows_graphiql, settings.introspects, settings.gives_tokens) == (True, True, True)


def test_an_address_that_is_set_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PRODUCTION)
    settings = read()
    assert settings.database == PRODUCTION["HOMESTAY_DATABASE_URL"]
    assert (settings.travel, settings.payment) == ("travel:2003", "payment:2002")
    assert (settings.shows_graphiql, settings.introspects, settings.gives_tokens) == (False, False, False)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMESTAY_PORT", "")
    assert read().port == 8000


def test_a_file_beside_the_program_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HOMESTAY_PORT=8123\n")
    assert read().port == 8123


@pytest.mark.parametrize(
    "missing",
    [
        "HOMESTAY_JWT_SECRET",
        "HOMESTAY_DATABASE_URL",
        "HOMESTAY_BROKER_URL",
        "HOMESTAY_TRAVEL_ADDR",
        "HOMESTAY_PAYMENT_ADDR",
    ],
)
def test_production_serves_nothing_from_inside(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    set_all(monkeypatch, {name: value for name, value in PRODUCTION.items() if name != missing})
    with pytest.raises(SettingsError, match=missing):
        read()


def test_production_refuses_the_key_that_everybody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PRODUCTION | {"HOMESTAY_JWT_SECRET": DEVELOPMENT_KEY})
    with pytest.raises(SettingsError, match="HOMESTAY_JWT_SECRET"):
        read()


def test_production_shows_graphiql_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PRODUCTION | {"HOMESTAY_GRAPHIQL": "on", "HOMESTAY_INTROSPECTION": "on"})
    assert (read().shows_graphiql, read().introspects) == (True, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOMESTAY_PORT", "70000"),
        ("HOMESTAY_PORT", "http"),
        ("HOMESTAY_ENV", "staging"),
        ("HOMESTAY_PAY_WINDOW", "0"),
        ("HOMESTAY_PAY_WINDOW", "-1"),
        ("HOMESTAY_CREATES_PER_MINUTE", "-1"),
        ("HOMESTAY_MAX_UNPAID_ORDERS", "some"),
        ("HOMESTAY_TIME_ZONE", "Asia/Atlantis"),
        ("HOMESTAY_DATABASE_URL", "postgresql://x"),
        ("HOMESTAY_DATABASE_URL", "nonsense"),
        ("HOMESTAY_BROKER_URL", "kafka://x"),
        ("HOMESTAY_JWT_SECRET", "too short"),
        ("HOMESTAY_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_told_with_its_variable_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        read()
    assert name in str(refused.value)
    if name == "HOMESTAY_JWT_SECRET":
        assert value not in str(refused.value)
