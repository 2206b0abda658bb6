"""The settings as people and machines may see them: each with its value, but no secret, and its source."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import SecretStr
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from workers.settings import FILE, PREFIX, SettingsError, Variables, read

MASK: Final = "********"
Plain = str | float | bool | None

# What a program makes of a variable that nobody has set.
_EFFECTIVE: Final[Mapping[str, Callable[[Variables], object]]] = {
    "database_url": lambda values: values.database,
    "travel_addr": lambda values: values.travel,
    "payment_addr": lambda values: values.payment,
    "graphiql": lambda values: values.shows_graphiql,
    "introspection": lambda values: values.introspects,
    "log_format": lambda values: "json" if values.logs_json else "console",
}
_URL: Final = re.compile(r"(?P<scheme>[^:/]+)://(?:(?P<user>[^:]*)(?P<word>:.*)?@)?(?P<rest>.*)", re.DOTALL)
# Of a query, what is known to be no secret; a receiver's key may be anywhere else.
_HARMLESS: Final = frozenset({"broker", "charset", "db", "ssl_verify_cert", "ssl_verify_identity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A setting.

    Attributes:
        variable: its name in the environment.
        value: what is in effect; `MASK` stands for what is secret. None where nothing is, or nothing that can be used.
        source: `default`, `environment` or `.env`.
        wrong: what is set can't be used.
        meaning: one line.
    """

    variable: str
    value: Plain
    source: str
    wrong: bool
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All of them.

    Attributes:
        settings: in the order in which they are declared.
        problems: what is wrong, by the variable; a program would not start.
        unknown: variables that look like settings and are none, each with the one that is most like it, or "".
    """

    settings: list[Shown]
    problems: list[tuple[str, str]]
    unknown: list[tuple[str, str]]


def look() -> Told:
    """Looks at the environment of this process, whatever is in it."""
    try:
        values: Variables = read()
        problems = []
    except SettingsError as error:
        problems = [_problem(line) for line in str(error).splitlines()]
        values = _without([variable for variable, _ in problems])
    if not problems and values.trusted_documents is not None:
        problems = _of_documents(values.trusted_documents)
    environment = EnvSettingsSource(Variables)
    file = DotEnvSettingsSource(Variables, env_file=None if FILE in dict(problems) else FILE)
    named, filed = environment(), file()
    wrong = {variable for variable, _ in problems}
    return Told(
        settings=[
            Shown(
                variable=variable_of(name),
                value=None if variable_of(name) in wrong else _value(values, name),
                source="environment" if name in named else FILE if name in filed else "default",
                wrong=variable_of(name) in wrong,
                meaning=meaning(name).replace("`", ""),
            )
            for name in Variables.model_fields
        ],
        problems=problems,
        unknown=_unknown({**file.env_vars, **environment.env_vars}),
    )


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def meaning(name: str) -> str:
    """What a setting means, in one line of Markdown."""
    return Variables.model_fields[name].description or ""


def masked(url: str) -> str:
    """A URL without what may be secret in it: words before the host, and values of its query.

    Greedy, since a word may hold anything: what stands before the last @ is no host, whatever else it is.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        return url
    # The user of a database is worth showing; elsewhere a user alone may be the secret.
    who = parts["user"] if parts["scheme"].startswith("mysql") else MASK
    user = "" if parts["user"] is None else f"{who}:{MASK}@" if parts["word"] else f"{who}@"
    rest, asks, query = parts["rest"].partition("?")
    pairs = parse_qsl(query.partition("#")[0], keep_blank_values=True)
    # What has no value is one itself, perhaps.
    shown = [(name, value if name in _HARMLESS else MASK) if value else (MASK, "") for name, value in pairs]
    kept = urlencode(shown, safe="*")
    return f"{parts['scheme']}://{user}{rest.partition('#')[0]}{asks}{kept}"


def _value(values: Variables, name: str) -> Plain:
    value = _EFFECTIVE[name](values) if name in _EFFECTIVE else getattr(values, name)
    match value:
        case SecretStr():
            return MASK if value.get_secret_value() else None
        case Path():
            return str(value)
        case bool() | int() | float():
            return value
        case "" | None:
            return None
    # A webhook's path is often its key.
    return masked(str(value)) if name != "notify_url" else _place(str(value))


def _place(url: str) -> str:
    """Of a URL of the web no more than where it leads."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}/{MASK}"


def _without(variables: list[str]) -> Variables:
    """What is in effect beside variables that can't be used, of which the defaults are taken."""
    fields = Variables.model_fields
    defaults = {name: fields[name].default for name in fields if variable_of(name) in variables}
    return Variables(_env_file=None if FILE in variables else FILE, **defaults)


def _problem(line: str) -> tuple[str, str]:
    variable, _, message = line.partition(": ")
    return variable, message


def _of_documents(path: Path) -> list[tuple[str, str]]:
    from bff.http import persisted  # noqa: PLC0415 -- only where there is a manifest

    try:
        persisted.read_manifest(path)
    except ValueError as error:
        return [(variable_of("trusted_documents"), str(error))]
    return []


def _unknown(found: Mapping[str, str | None]) -> list[tuple[str, str]]:
    known = [name.upper() for name in Variables.model_fields]
    said = {name.upper().removeprefix(PREFIX) for name in found if name.upper().startswith(PREFIX)}
    like = {name: next(iter(difflib.get_close_matches(name, known, n=1)), "") for name in sorted(said - {*known})}
    return [(PREFIX + name, other and PREFIX + other) for name, other in like.items()]
