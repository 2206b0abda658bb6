"""Every environment variable, typed, read once.

One rule: an address that is set is used; an empty one is served from inside.
"""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.order.pricing import Rules
from workers import setting_checks as checks
from workers.setting_checks import DEVELOPMENT_KEY, MIN_KEY_BYTES, MIN_OPS_TOKEN, MIN_SIGNING_BYTES

PREFIX: Final = "HOMESTAY_"
# Beside the directory in which a program is started; the environment comes before it.
FILE: Final = ".env"
NO_SIGNING_KEY: Final = f"{PREFIX}NOTIFY_SECRET: announcements are signed; set the key that their receiver knows"

Port = Annotated[int, Field(ge=0, le=65535)]
Host = Annotated[str, AfterValidator(checks.host)]
Address = Annotated[str, AfterValidator(checks.address)]
Http = Annotated[str, AfterValidator(checks.http)]
# Others write these in capitals.
_ANY_CASE: Final = BeforeValidator(lambda said: said.lower() if isinstance(said, str) else said)


class SettingsError(Exception):
    """The environment says something that can't be used; the message names each variable, a line for each."""


class Variables(BaseSettings):
    """Each variable by itself, under the name `HOMESTAY_<NAME>`; also read from a file `.env`.

    The descriptions are what `homestay settings` and docs/settings.md say.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=FILE, env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    env: Annotated[Literal["development", "production"], _ANY_CASE] = Field(
        default="development",
        description="`production` refuses empty addresses and sample keys, migrates nothing unasked, and turns "
        "GraphiQL and introspection off unless asked for",
    )
    host: Host = Field(default="127.0.0.1", description="where the GraphQL edge listens")
    port: Port = Field(default=8000, description="its port")
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="processes of `homestay bff` that serve this port together, on several cores; more than one need a "
        "broker that they share",
    )
    data_dir: Annotated[Path, AfterValidator(checks.directory)] = Field(
        default=Path("var"), description="where the SQLite file goes"
    )
    database_url: Annotated[str, AfterValidator(checks.database)] = Field(
        default="", description="`mysql+aiomysql://…` or `sqlite+aiosqlite:///…`; empty: a SQLite file"
    )
    broker_url: Annotated[str, AfterValidator(checks.broker)] = Field(
        default="",
        description="`redis://…`, `rediss://…` or `amqp://…`; `redis://…?broker=stock` for dramatiq's own Redis "
        "broker; empty: queues in the process",
    )
    travel_addr: Address = Field(
        default="", description="host:port of the travel service (gRPC); empty: the reference service"
    )
    payment_addr: Address = Field(
        default="", description="host:port of the payment service (gRPC); empty: the reference service"
    )
    rpc_host: Host = Field(default="127.0.0.1", description="where our gRPC services listen")
    order_rpc_port: Port = Field(default=2001, description="port of the order service")
    payment_rpc_port: Port = Field(default=2002, description="port of the reference payment service")
    travel_rpc_port: Port = Field(default=2003, description="port of the reference travel service")
    jwt_secret: Annotated[SecretStr, AfterValidator(checks.token_key)] = Field(
        default=SecretStr(""),
        description=f"HS256 key of tokens, at least {MIN_KEY_BYTES} bytes; empty: a key that everybody knows, or, with "
        f"`{PREFIX}JWT_JWKS_URL`, none",
    )
    jwt_jwks_url: Http = Field(
        default="",
        description="where a sign-in service shows its public keys: its RS256 and ES256 tokens are taken too; "
        "`https://…` in production",
    )
    jwt_issuer: str = Field(default="", description="what `iss` of every token must be; empty: it is not looked at")
    jwt_audience: str = Field(
        default="", description="what `aud` of every token must be or hold; empty: it is not looked at"
    )
    cors_origins: Annotated[str, AfterValidator(checks.origins)] = Field(
        default="",
        description="whose pages may ask from a browser: exact origins with commas between, or `*`; empty: our own",
    )
    time_zone: Annotated[str, AfterValidator(checks.zone)] = Field(
        default="Asia/Shanghai", description="where the homestays stand: it decides which date is today"
    )
    pay_window: float = Field(default=1200, gt=0, le=86400, description="seconds until an unpaid order closes")
    creates_per_minute: int = Field(
        default=10, ge=0, le=10_000, description="orders that a guest may try to place in a minute; 0 sets no limit"
    )
    homestays_kept: float = Field(
        default=10,
        ge=0,
        le=3600,
        description="seconds for which a homestay is shown as the travel service told it; placing an order always asks",
    )
    values_per_minute: int = Field(
        default=200_000,
        ge=0,
        le=1_000_000_000,
        description="values of answers that one guest may ask for in a minute; counted together by processes that "
        "share a Redis, else by each; 0 sets no limit",
    )
    max_unpaid_orders: int = Field(
        default=5, ge=0, le=10_000, description="orders of one guest that may wait for their payment; 0 sets no limit"
    )
    sweep_interval: float = Field(default=5, gt=0, le=3600, description="seconds between sweeps")
    sweep_grace: float = Field(
        default=10,
        ge=0,
        le=3600,
        description="seconds past the due moment by which a sweep has taken over from the message",
    )
    notify_url: Http = Field(
        default="", description="webhook that is told of each change of an order; empty: nobody is"
    )
    notify_secret: Annotated[SecretStr, AfterValidator(checks.signing_key)] = Field(
        default=SecretStr(""),
        description=f"key of the webhook's signatures, as text or as `whsec_…`; {MIN_SIGNING_BYTES} bytes or more in "
        "production",
    )
    trusted_documents: Path | None = Field(
        default=None, description="a manifest of documents; nothing else is run; empty: any document is"
    )
    graphiql: bool | None = Field(default=None, description="whether `/graphiql` is served; empty: in development only")
    introspection: bool | None = Field(
        default=None, description="whether the schema may be asked about itself; empty: in development only"
    )
    ops_token: Annotated[SecretStr, AfterValidator(checks.operators_token)] = Field(
        default=SecretStr(""),
        description=f"opens the operators' page `/ops`, {MIN_OPS_TOKEN} characters or more; empty: no such page",
    )
    watch_host: Host = Field(
        default="127.0.0.1", description="where programs other than the edge answer for their health"
    )
    watch_port: Port = Field(
        default=0,
        description="port of their `/livez`, `/readyz` and `/metrics`, or the next free one; 0: nowhere",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _ANY_CASE] = Field(
        default="info", description="the least that is logged"
    )
    log_format: Annotated[Literal["console", "json"] | None, _ANY_CASE] = Field(
        default=None, description="for people or for machines; empty: `console`, in production `json`"
    )

    @property
    def production(self) -> bool:
        """Whether this installation serves real guests."""
        return self.env == "production"

    @property
    def key(self) -> str:
        """The key that signs tokens: the one that is set; else one that everybody knows, or none where others sign."""
        known = "" if self.jwt_jwks_url or self.production else DEVELOPMENT_KEY
        return self.jwt_secret.get_secret_value() or known

    @property
    def gives_tokens(self) -> bool:
        """Whether anybody may have a token: only where the key is no secret anyway."""
        return self.key == DEVELOPMENT_KEY

    @property
    def origins(self) -> tuple[str, ...]:
        """Whose pages may ask from a browser, beside our own; `*` is everybody's."""
        return checks.split(self.cors_origins)

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


class Settings(Variables):
    """What an installation decides: each variable by itself, and all of them together.

    Attributes:
        needed: variables without which a program does not start, where its other variables ask for them. Here it is one
            that does everything; programs that do less start with fewer secrets.
    """

    needed: ClassVar[frozenset[str]] = frozenset(
        {"jwt_secret", "notify_secret", "database_url", "broker_url", "travel_addr", "payment_addr"}
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        problems = []
        if "notify_secret" in self.needed and self.notify_url and not self.notify_secret.get_secret_value():
            problems.append(NO_SIGNING_KEY)
        if self.processes > 1 and not self.broker_url:
            problems.append(f"{PREFIX}PROCESSES: several processes need a {PREFIX}BROKER_URL that they share")
        if self.production:
            problems += self._unfit_for_guests()
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _unfit_for_guests(self) -> list[str]:
        problems = [
            f"{PREFIX}{name.upper()}: production takes no sample; draw one, as `openssl rand -hex 32` does"
            for name in ("jwt_secret", "ops_token", "notify_secret")
            if checks.is_sample(getattr(self, name))
        ]
        if "jwt_secret" in self.needed and not self.jwt_secret.get_secret_value() and not self.jwt_jwks_url:
            problems.append(f"{PREFIX}JWT_SECRET: production needs a key of its own, or {PREFIX}JWT_JWKS_URL")
        if self.notify_url and 0 < checks.signing_bytes(self.notify_secret) < MIN_SIGNING_BYTES:
            problems.append(f"{PREFIX}NOTIFY_SECRET: expected at least {MIN_SIGNING_BYTES} bytes in production")
        problems += [
            f"{PREFIX}{name.upper()}: production serves nothing from inside; set its address"
            for name in ("database_url", "broker_url", "travel_addr", "payment_addr")
            if name in self.needed and not getattr(self, name)
        ]
        if urlsplit(self.jwt_jwks_url).scheme == "http":
            problems.append(f"{PREFIX}JWT_JWKS_URL: expected https://…; who can change this answer can be any guest")
        return problems


class EdgeSettings(Settings):
    """Those of the GraphQL edge: it knows guests by their tokens, and tells no webhook."""

    needed = Settings.needed - {"notify_secret"}


class WorkerSettings(Settings):
    """Those of who closes orders and delivers letters: it signs announcements, and reads no token."""

    needed = Settings.needed - {"jwt_secret"}


class ServiceSettings(Settings):
    """Those of gRPC services, and of commands that do one thing: they read no token, and tell no webhook."""

    needed = Settings.needed - {"jwt_secret", "notify_secret"}


class MigrationSettings(Settings):
    """Those of whoever needs the database alone."""

    needed = frozenset({"database_url"})


@cache
def settings(kind: type[Settings] = Settings) -> Settings:
    """The settings of this process.

    Args:
        kind: by what the program does.

    Raises:
        SettingsError: a variable can't be used, or one is missing that such a program needs.
    """
    return read(kind)


def read(kind: type[Settings] = Settings) -> Settings:
    """Reads the environment anew.

    Args:
        kind: by what the program does.

    Raises:
        SettingsError: a variable can't be used, or one is missing that such a program needs.
    """
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(problem) for problem in error.errors(include_url=False))) from None
    except UnicodeError:
        raise SettingsError(f"{FILE}: expected text in UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{FILE}: can't be read: {error.strerror}") from None


def _explain(problem: object) -> str:
    # pydantic's messages never hold the value here: it may be a secret.
    match problem:
        case {"loc": (name, *_), "msg": str(message)}:
            return f"{PREFIX}{str(name).upper()}: {message.removeprefix('Value error, ')}"
        case {"msg": str(message)}:
            return message.removeprefix("Value error, ")
    return str(problem)
