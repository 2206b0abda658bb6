"""Every environment variable, typed, read once.

One rule: an address that is set is used; an empty one is served from inside.
"""

import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from domain.order.pricing import Rules

PREFIX: Final = "HOMESTAY_"
# Known to everybody who can read this, so it opens nothing but a developer's own machine.
DEVELOPMENT_KEY: Final = "development-key-of-homestay-bff-not-a-secret"
# RFC 7518, section 3.2: an HS256 key has at least the size of the hash.
MIN_KEY_BYTES: Final = 32
# Characters. One guess a second finds none of so many.
MIN_OPS_TOKEN: Final = 16
# As a browser says it: scheme, host, and a port that is not the scheme's own; neither a path nor a slash.
_ORIGIN: Final = re.compile(r"(?!http:.*:80$|https:.*:443$)https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")


def _check_database(url: str) -> str:
    try:
        driver = make_url(url).drivername if url else "sqlite+aiosqlite"
    except ArgumentError:
        driver = ""
    if driver not in {"mysql+aiomysql", "sqlite+aiosqlite"}:
        raise ValueError("expected mysql+aiomysql://… or sqlite+aiosqlite:///…")
    return url


def _check_broker(url: str) -> str:
    if url and not url.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
        raise ValueError("expected redis://…, rediss://… or amqp://…")
    return url


def _check_http(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if url and not usable:
        raise ValueError("expected https://… or http://…")
    return url


def _check_origins(origins: str) -> str:
    for origin in _split(origins):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError("expected origins such as https://www.example.org or http://localhost:3000, or *")
    return origins


def _split(listed: str) -> tuple[str, ...]:
    return tuple(piece for each in listed.split(",") if (piece := each.strip()))


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"no time zone is called {name!r}; expected a name such as Asia/Shanghai") from None
    return name


Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsError(Exception):
    """The environment says something that can't be used; the message names each variable."""


class Settings(BaseSettings):
    """What an installation decides, under the names `HOMESTAY_<NAME>`; also read from a file `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    env: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: Port = 8000
    processes: int = Field(default=1, ge=1, le=64)
    data_dir: Path = Path("var")
    database_url: Annotated[str, AfterValidator(_check_database)] = ""
    broker_url: Annotated[str, AfterValidator(_check_broker)] = ""
    travel_addr: str = ""
    payment_addr: str = ""
    rpc_host: str = "127.0.0.1"
    order_rpc_port: Port = 2001
    payment_rpc_port: Port = 2002
    travel_rpc_port: Port = 2003
    jwt_secret: SecretStr = SecretStr("")
    jwt_jwks_url: Annotated[str, AfterValidator(_check_http)] = ""
    jwt_issuer: str = ""
    jwt_audience: str = ""
    cors_origins: Annotated[str, AfterValidator(_check_origins)] = ""
    time_zone: Annotated[str, AfterValidator(_check_zone)] = "Asia/Shanghai"
    pay_window: float = Field(default=1200, gt=0, le=86400)
    creates_per_minute: int = Field(default=10, ge=0, le=10_000)
    homestays_kept: float = Field(default=10, ge=0, le=3600)
    values_per_minute: int = Field(default=200_000, ge=0, le=1_000_000_000)
    max_unpaid_orders: int = Field(default=5, ge=0, le=10_000)
    sweep_interval: float = Field(default=5, gt=0, le=3600)
    sweep_grace: float = Field(default=10, ge=0, le=3600)
    notify_url: Annotated[str, AfterValidator(_check_http)] = ""
    notify_secret: SecretStr = SecretStr("")
    trusted_documents: Path | None = None
    graphiql: bool | None = None
    introspection: bool | None = None
    ops_token: SecretStr = SecretStr("")
    watch_host: str = "127.0.0.1"
    watch_port: Port = 0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] | None = None

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        secret = self.jwt_secret.get_secret_value()
        if secret and len(secret.encode()) < MIN_KEY_BYTES:
            raise ValueError(f"{PREFIX}JWT_SECRET: expected at least {MIN_KEY_BYTES} bytes")
        return self

    @model_validator(mode="after")
    def _check_ops_token(self) -> Self:
        token = self.ops_token.get_secret_value()
        if token and len(token) < MIN_OPS_TOKEN:
            raise ValueError(f"{PREFIX}OPS_TOKEN: expected at least {MIN_OPS_TOKEN} characters")
        return self

    @model_validator(mode="after")
    def _check_notify_secret(self) -> Self:
        if self.notify_url and not self.notify_secret.get_secret_value():
            raise ValueError(f"{PREFIX}NOTIFY_SECRET: announcements are signed; set the key that their receiver knows")
        return self

    @model_validator(mode="after")
    def _check_processes(self) -> Self:
        if self.processes > 1 and not self.broker_url:
            raise ValueError(f"{PREFIX}PROCESSES: several processes need a {PREFIX}BROKER_URL that they share")
        return self

    @model_validator(mode="after")
    def _check_production(self) -> Self:
        if not self.production:
            return self
        missing = [
            f"{PREFIX}{name.upper()}: production serves nothing from inside; set its address"
            for name in ("database_url", "broker_url", "travel_addr", "payment_addr")
            if not getattr(self, name)
        ]
        if self.key == DEVELOPMENT_KEY:
            missing.insert(0, f"{PREFIX}JWT_SECRET: production needs a key of its own, or {PREFIX}JWT_JWKS_URL")
        if urlsplit(self.jwt_jwks_url).scheme == "http":
            missing.append(f"{PREFIX}JWT_JWKS_URL: expected https://…; who can change this answer can be any guest")
        if missing:
            raise ValueError("\n".join(missing))
        return self

    @property
    def production(self) -> bool:
        """Whether this installation serves real guests."""
        return self.env == "production"

    @property
    def key(self) -> str:
        """The key that signs tokens: the one that is set; else one that everybody knows, or none where others sign."""
        return self.jwt_secret.get_secret_value() or ("" if self.jwt_jwks_url else DEVELOPMENT_KEY)

    @property
    def gives_tokens(self) -> bool:
        """Whether anybody may have a token: only where the key is no secret anyway."""
        return self.key == DEVELOPMENT_KEY

    @property
    def origins(self) -> tuple[str, ...]:
        """Whose pages may ask from a browser, beside our own; `*` is everybody's."""
        return _split(self.cors_origins)

    @property
    def zone(self) -> ZoneInfo:
        """Where the homestays stand."""
        return ZoneInfo(self.time_zone)

    @property
    def pay_window_delta(self) -> timedelta:
        """How long an order waits for its payment."""
        return timedelta(seconds=self.pay_window)

    @property
    def rules(self) -> Rules:
        """What orders are placed by."""
        return Rules(zone=self.zone, pay_window=self.pay_window_delta, max_unpaid=self.max_unpaid_orders or None)

    @property
    def database(self) -> str:
        """The database's URL: the one that is set, or a SQLite file in the data directory."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'homestay.sqlite3'}"

    @property
    def travel(self) -> str:
        """Where the travel service is, host:port."""
        return self.travel_addr or f"{self.rpc_host}:{self.travel_rpc_port}"

    @property
    def payment(self) -> str:
        """Where the payment service is, host:port."""
        return self.payment_addr or f"{self.rpc_host}:{self.payment_rpc_port}"

    @property
    def shows_graphiql(self) -> bool:
        """Whether GET /graphiql answers."""
        return not self.production if self.graphiql is None else self.graphiql

    @property
    def introspects(self) -> bool:
        """Whether the schema may be asked about itself."""
        return not self.production if self.introspection is None else self.introspection

    @property
    def logs_json(self) -> bool:
        """Whether logs are for machines."""
        return self.production if self.log_format is None else self.log_format == "json"


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: a variable can't be used.
    """
    return read()


def read() -> Settings:
    """Reads the environment anew.

    Raises:
        SettingsError: a variable can't be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(problem) for problem in error.errors(include_url=False))) from None


def _explain(problem: object) -> str:
    # pydantic's messages never hold the value here: it may be a secret.
    match problem:
        case {"loc": (name, *_), "msg": str(message)}:
            return f"{PREFIX}{str(name).upper()}: {message.removeprefix('Value error, ')}"
        case {"msg": str(message)}:
            return message.removeprefix("Value error, ")
    return str(problem)
