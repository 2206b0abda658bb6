"""What the value of a variable must look like.

Messages say what is expected, and never the value: it may be a secret.
"""

import base64
import binascii
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

# Known to everybody who can read this, so it opens nothing but a developer's own machine.
DEVELOPMENT_KEY: Final = "development-key-of-homestay-bff-not-a-secret"
# RFC 7518, section 3.2: an HS256 key has at least the size of the hash.
MIN_KEY_BYTES: Final = 32
# Characters. One guess a second finds none of so many.
MIN_OPS_TOKEN: Final = 16
# Standard Webhooks: a key has 24 bytes at least.
MIN_SIGNING_BYTES: Final = 24

# Keys that are printed somewhere: ours, and the access secret in the published configuration of the existing system.
_PRINTED: Final = frozenset({DEVELOPMENT_KEY, "ae0536f9-6450-4606-8e13-5a19ed505da0"})
# Words by which those who write samples say that they are some.
_SAMPLE: Final = re.compile(r"change[-_ ]?(me|it|this)|sample|example|your[-_ ]", re.IGNORECASE)
# As a browser says it: scheme, host, and a port that is not the scheme's own; neither a path nor a slash.
_ORIGIN: Final = re.compile(r"(?!http:.*:80$|https:.*:443$)https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")
# Underscores are in no name of the Internet, but in those of containers.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What gRPC dials; `dns:///` has it look the name up anew, and so find all that stand behind it.
_ADDRESS: Final = re.compile(r"(?:dns:(?:///)?)?(?P<host>[^/\[\]:]+|\[[^\[\]]+\]):(?P<port>[1-9][0-9]{0,4})")
_PORTS: Final = 65535
_SIGNING_PREFIX: Final = "whsec_"


def database(url: str) -> str:
    """A database that we have a driver for; empty for none."""
    try:
        parts = make_url(url) if url else None
    except (ArgumentError, ValueError):
        raise ValueError("expected mysql+aiomysql://… or sqlite+aiosqlite:///…") from None
    if parts is not None and parts.drivername not in {"mysql+aiomysql", "sqlite+aiosqlite"}:
        raise ValueError("expected mysql+aiomysql://… or sqlite+aiosqlite:///…")
    if parts is not None and parts.drivername == "mysql+aiomysql" and not parts.database:
        raise ValueError("expected the database's name at the end: mysql+aiomysql://user:password@host/name")
    return url


def broker(url: str) -> str:
    """A broker that dramatiq speaks with; empty for none."""
    if url and not _is_url(url, {"redis", "rediss", "amqp", "amqps"}):
        raise ValueError("expected redis://…, rediss://… or amqp://…")
    return url


def http(url: str) -> str:
    """An address of the web; empty for none."""
    if url and not (_is_url(url, {"https", "http"}) and urlsplit(url).hostname and urlsplit(url).port != 0):
        raise ValueError("expected https://… or http://…")
    return url


def origins(listed: str) -> str:
    """Origins of pages, with commas between."""
    for origin in split(listed):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError("expected origins such as https://www.example.org or http://localhost:3000, or *")
    return listed


def split(listed: str) -> tuple[str, ...]:
    """The pieces of a list with commas."""
    return tuple(piece for each in listed.split(",") if (piece := each.strip()))


def zone(name: str) -> str:
    """A name of the time zone database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("there is no such time zone; expected a name such as Asia/Shanghai") from None
    return name


def host(name: str) -> str:
    """Where one can listen."""
    if not _is_host(name):
        raise ValueError("expected an address or a name without scheme and port, such as 127.0.0.1 or 0.0.0.0")
    return name


def address(target: str) -> str:
    """A service that can be dialled; empty for none."""
    found = _ADDRESS.fullmatch(target)
    if target and not (found and _is_host(found["host"]) and int(found["port"]) <= _PORTS):
        raise ValueError("expected host:port, such as travel.internal:2003")
    return target


def directory(path: Path) -> Path:
    """A directory, or a name that is free for one."""
    try:
        usable = path.is_dir() or not path.exists()
    except (OSError, ValueError):
        usable = False
    if not usable:
        raise ValueError("expected a directory; this is none, or can't be looked at")
    return path


def token_key(secret: SecretStr) -> SecretStr:
    """A key for HS256; empty for none."""
    if 0 < len(secret.get_secret_value().encode()) < MIN_KEY_BYTES:
        raise ValueError(f"expected at least {MIN_KEY_BYTES} bytes")
    return secret


def operators_token(secret: SecretStr) -> SecretStr:
    """What operators say at the door; empty for none."""
    if 0 < len(secret.get_secret_value()) < MIN_OPS_TOKEN:
        raise ValueError(f"expected at least {MIN_OPS_TOKEN} characters")
    return secret


def signing_key(secret: SecretStr) -> SecretStr:
    """A key of Standard Webhooks, as text or as `whsec_` and base 64; empty for none."""
    if secret.get_secret_value().startswith(_SIGNING_PREFIX) and not signing_bytes(secret):
        raise ValueError(f"expected base 64 after {_SIGNING_PREFIX}")
    return secret


def signing_bytes(secret: SecretStr) -> int:
    """How long a key of Standard Webhooks is; 0 where nobody can read it."""
    text = secret.get_secret_value()
    if not text.startswith(_SIGNING_PREFIX):
        return len(text.encode())
    try:
        return len(base64.b64decode(text.removeprefix(_SIGNING_PREFIX), validate=True))
    except (binascii.Error, ValueError):
        return 0


def is_sample(secret: SecretStr) -> bool:
    """Whether others know it, or were never meant to use it."""
    text = secret.get_secret_value()
    return text in _PRINTED or bool(_SAMPLE.search(text))


def _is_host(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return bool(_NAME.fullmatch(name))
    return True


def _is_url(url: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read only now
    except ValueError:
        return False
    return parts.scheme in schemes and url.partition("://")[1] != ""
