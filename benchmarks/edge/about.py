"""Where, when and with what figures were measured: without that they are only numbers."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from benchmarks.edge.contenders import ARIADNE, PEERS
from benchmarks.edge.course import Pace
from benchmarks.edge.figures import Figures
from benchmarks.edge.processes import load_average, machine
from tests.servers.missing import find_program

_OURS: Final = (
    "strawberry-graphql",
    "graphql-core",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "aiomysql",
    "grpcio",
    "orjson",
)
_THEIRS: Final = (
    "mercurius",
    "fastify",
    "graphql-yoga",
    "graphql-jit",
    "graphql",
    "mysql2",
    "@grpc/grpc-js",
    "fast-jwt",
)


def facts(arguments: list[str], pace: Pace, orders: int, guests: int) -> dict[str, str]:
    """What is known before anything is measured."""
    return {
        "Command": " ".join(["python -m benchmarks.edge", *arguments]),
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Machine": machine(),
        "Load average before": load_average(),
        "Rows": f"{orders:,} orders of {guests:,} guests, where contenders are compared",
        "Pace": f"{pace.rounds} rounds of two turns of {pace.seconds:g} s, warmed for {pace.warming:g} s (Node "
        f"{pace.warming * 5:g} s) an operation, 32 connections",
        "Servers": f"MariaDB {_said('mariadbd', package='mariadb-server')}, "
        f"Redis {_said('redis-server', package='redis-server')}",
        "Ours": f"Python {sys.version.split(')')[0]}), " + ", ".join(f"{name} {version(name)}" for name in _OURS),
        "Node": f"{_output('node', '--version')}, " + ", ".join(_locked()),
        "ariadne": ", ".join(_pinned("ariadne", "graphql-core", "aiomysql", "grpcio", "uvicorn")),
    }


def end(figures: Figures) -> None:
    """What is known when all is over."""
    figures.about["Load average after"] = load_average()


def _said(name: str, package: str) -> str:
    program = find_program(name, package=package)
    said = _output(str(program), "--version").split()
    return next(word for word in said if word.lstrip("v=")[:1].isdigit()).removeprefix("v=")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def _locked() -> list[str]:
    packages = json.loads((PEERS / "package-lock.json").read_text())["packages"]
    return [f"{name} {packages[f'node_modules/{name}']['version']}" for name in _THEIRS]


def _pinned(*names: str) -> list[str]:
    pins = dict(
        line.removesuffix(" \\").split("==")
        for line in (ARIADNE / "requirements.lock").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    )
    return [f"{name} {pins[name]}" for name in names]
