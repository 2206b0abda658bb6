"""Traces of a process: whether there are any.

They are wanted where the environment names an exporter or its address, by the names that OpenTelemetry has for all
programs: OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. Elsewhere nothing is
loaded, and a span is one call.
"""

import os
import sys
from collections.abc import Mapping
from typing import Final

from domain import tracing

_NAMED: Final = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_TRIED_BY_REDIS: Final = ("opentelemetry.sdk.metrics", "opentelemetry.metrics")


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether somebody wants traces."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get(_NAMED[0]) == "none":
        return False
    return any(environment.get(name) for name in _NAMED)


def spare() -> None:
    """Keeps redis-py from loading OpenTelemetry where nobody wants it. Must come before it is imported.

    It loads whatever of it is installed, to be able to count for it: a tenth of a second, and 3 MB, of each process.
    """
    if not is_wanted(os.environ):
        for name in _TRIED_BY_REDIS:
            # Python's way of saying that there is no such module. One that somebody else has loaded stays.
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def start(service: str) -> None:
    """Keeps this process's spans from now on, where somebody wants them. Must come after the last fork.

    Args:
        service: what this process is called in traces.

    Raises:
        SettingsError: the environment names an exporter that is not installed.
    """
    if is_wanted(os.environ):
        from workers import telemetry  # noqa: PLC0415 -- a tenth of a second, and megabytes, for those who want it

        tracing.install(telemetry.start(service, os.environ))
