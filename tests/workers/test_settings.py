import base64
from pathlib import Path

import pytest

from workers.setting_checks import DEVELOPMENT_KEY
from workers.settings import ServiceSettings, Settings, SettingsError, read

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


def test_production_needs_no_key_where_others_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"HOMESTAY_JWT_SECRET": "", "HOMESTAY_JWT_JWKS_URL": "https://sign-in.example.org/keys"}
    set_all(monkeypatch, PRODUCTION | others)
    assert (read().key, read().gives_tokens) == ("", False)


def test_a_program_of_production_that_needs_no_key_does_not_have_the_one_that_everybody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_all(monkeypatch, {name: value for name, value in PRODUCTION.items() if name != "HOMESTAY_JWT_SECRET"})
    assert (read(ServiceSettings).key, read(ServiceSettings).gives_tokens) == ("", False)


@pytest.mark.parametrize("name", ["HOMESTAY_JWT_SECRET", "HOMESTAY_OPS_TOKEN", "HOMESTAY_NOTIFY_SECRET"])
@pytest.mark.parametrize(
    "sample",
    [
        DEVELOPMENT_KEY,
        "ae0536f9-6450-4606-8e13-5a19ed505da0",
        "change-me-change-me-change-me-change-me",
        "ChangeThisKeyBeforeYouServeAnyGuestWithIt",
        "your-256-bit-secret-your-256-bit-secret",
        "an-example-key-of-more-than-thirty-two-bytes",
    ],
)
def test_production_refuses_what_is_printed_somewhere(monkeypatch: pytest.MonkeyPatch, name: str, sample: str) -> None:
    set_all(monkeypatch, PRODUCTION | {name: sample})
    with pytest.raises(SettingsError, match=f"^{name}: production takes no sample"):
        read()
    monkeypatch.setenv("HOMESTAY_ENV", "development")
    read()


def test_production_signs_announcements_with_a_long_key(monkeypatch: pytest.MonkeyPatch) -> None:
    told = PRODUCTION | {"HOMESTAY_NOTIFY_URL": "https://push.internal/hook"}
    for short in ("23 bytes, and no more..", "whsec_" + base64.b64encode(b"23 bytes, and no more..").decode()):
        set_all(monkeypatch, told | {"HOMESTAY_NOTIFY_SECRET": short})
        with pytest.raises(SettingsError, match=r"^HOMESTAY_NOTIFY_SECRET: expected at least 24 bytes"):
            read()
    monkeypatch.setenv("HOMESTAY_NOTIFY_SECRET", "24 bytes, and that is it")
    read()


def test_all_that_production_misses_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMESTAY_ENV", "production")
    monkeypatch.setenv("HOMESTAY_NOTIFY_URL", "https://push.internal/hook")
    with pytest.raises(SettingsError) as refused:
        read()
    assert [line.partition(":")[0].removeprefix("HOMESTAY_") for line in str(refused.value).splitlines()] == [
        "NOTIFY_SECRET",
        "JWT_SECRET",
        "DATABASE_URL",
        "BROKER_URL",
        "TRAVEL_ADDR",
        "PAYMENT_ADDR",
    ]


@pytest.mark.parametrize(
    "address", ["travel:2003", "10.0.0.1:1", "[::1]:65535", "dns:///travel.internal:80", "travel_rpc:2003"]
)
def test_an_address_may_be_a_name_or_a_number(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HOMESTAY_TRAVEL_ADDR", address)
    assert read().travel == address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "localhost", "bff.internal"])  # noqa: S104 -- only told
def test_one_may_listen_at_a_name_or_a_number(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HOMESTAY_RPC_HOST", host)
    assert read().rpc_host == host


def test_words_are_taken_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"HOMESTAY_LOG_LEVEL": "WARNING", "HOMESTAY_LOG_FORMAT": "JSON", "HOMESTAY_GRAPHIQL": "OFF"})
    assert (read().log_level, read().log_format, read().shows_graphiql) == ("warning", "json", False)


@pytest.mark.parametrize("url", ["http://sign-in.example.org/keys", "HTTP://sign-in.example.org/keys"])
def test_production_takes_keys_from_nobody_in_between(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    set_all(monkeypatch, PRODUCTION | {"HOMESTAY_JWT_JWKS_URL": url})
    with pytest.raises(SettingsError, match="HOMESTAY_JWT_JWKS_URL"):
        read()


def test_where_others_sign_the_key_that_everybody_knows_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMESTAY_JWT_JWKS_URL", "http://127.0.0.1:9000/keys")
    assert (read().key, read().gives_tokens) == ("", False)
    monkeypatch.setenv("HOMESTAY_JWT_SECRET", DEVELOPMENT_KEY)
    assert (read().key, read().gives_tokens) == (DEVELOPMENT_KEY, True)


@pytest.mark.parametrize(
    ("said", "origins"),
    [
        ("", ()),
        (" , ", ()),
        ("*", ("*",)),
        ("https://www.example.org", ("https://www.example.org",)),
        (
            "https://a.example, http://localhost:3000,http://[::1]:8080",
            ("https://a.example", "http://localhost:3000", "http://[::1]:8080"),
        ),
    ],
)
def test_origins_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch, said: str, origins: tuple[str, ...]) -> None:
    monkeypatch.setenv("HOMESTAY_CORS_ORIGINS", said)
    assert read().origins == origins


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
        ("HOMESTAY_OPS_TOKEN", "15 characters.."),
        ("HOMESTAY_LOG_FORMAT", "xml"),
        ("HOMESTAY_JWT_JWKS_URL", "sign-in.example.org"),
        ("HOMESTAY_JWT_JWKS_URL", "file:///etc/keys"),
        ("HOMESTAY_JWT_JWKS_URL", "https://"),
        ("HOMESTAY_JWT_JWKS_URL", "https://a.example:x/"),
        ("HOMESTAY_NOTIFY_URL", "ftp://a.example"),
        ("HOMESTAY_CORS_ORIGINS", "a.example"),
        ("HOMESTAY_CORS_ORIGINS", "https://a.example/"),
        ("HOMESTAY_CORS_ORIGINS", "https://a.example, https://*.example"),
        ("HOMESTAY_CORS_ORIGINS", "https://A.example"),
        ("HOMESTAY_CORS_ORIGINS", "https://a.example:443"),
        ("HOMESTAY_CORS_ORIGINS", "http://a.example:80"),
        ("HOMESTAY_CORS_ORIGINS", "null"),
    ],
)
def test_a_wrong_value_is_told_with_its_variable_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        read()
    assert name in str(refused.value)
    if name in {"HOMESTAY_JWT_SECRET", "HOMESTAY_OPS_TOKEN"}:
        assert value not in str(refused.value)


def test_several_processes_need_a_broker_that_they_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMESTAY_PROCESSES", "2")
    with pytest.raises(SettingsError, match="HOMESTAY_PROCESSES: several processes need a HOMESTAY_BROKER_URL"):
        read()
    monkeypatch.setenv("HOMESTAY_BROKER_URL", "redis://127.0.0.1")
    assert read().processes == 2
