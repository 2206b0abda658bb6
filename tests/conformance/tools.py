"""Which tools there are, and what is known not to work yet."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from bff import programs

HERE: Final = Path(__file__).parent
NODE: Final = HERE / "node"
_FIRST_GUEST: Final = 101


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that tells a line for each of its checks.

    Attributes:
        name: as in the table, and after `--only`.
        command: what to start; a file of node/ stands for itself.
        packages: whose versions are told: npm's, or Python's.
        guest: whose orders it may place. Each tool has its own, so that no list shows what another tool has placed.
        deadline: seconds after which it is ended; several times what it takes on a busy machine.
    """

    name: str
    command: tuple[str, ...]
    packages: tuple[str, ...]
    guest: int
    deadline: float = 60

    def versions(self) -> str:
        """The versions that are installed, which are those of the locks."""
        return ", ".join(_version(package) for package in self.packages)


def _version(package: str) -> str:
    manifest = NODE / "node_modules" / package / "package.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["version"])
    return metadata.version(package)


def _node(name: str, file: str, *packages: str, guest: int) -> Tool:
    return Tool(name, ("node", str(NODE / file)), packages, guest)


_PYTHON: Final = (sys.executable, "-m")

TOOLS: Final = (
    _node("graphql-http audits", "audits.mjs", "graphql-http", guest=_FIRST_GUEST),
    _node("apollo-client", "apollo.mjs", "@apollo/client", guest=_FIRST_GUEST + 1),
    _node("urql", "urql.mjs", "@urql/core", guest=_FIRST_GUEST + 2),
    _node("graphql-ws", "ws.mjs", "graphql-ws", guest=_FIRST_GUEST + 3),
    _node("graphql-sse", "sse.mjs", "graphql-sse", guest=_FIRST_GUEST + 4),
    _node("relay", "relay.mjs", "relay-compiler", guest=_FIRST_GUEST + 5),
    _node("graphql-codegen, tsc", "codegen.mjs", "@graphql-codegen/core", "typescript", guest=_FIRST_GUEST + 6),
    _node("graphql-inspector", "inspector.mjs", "@graphql-inspector/core", guest=_FIRST_GUEST + 7),
    _node("grpc-js", "grpc.mjs", "@grpc/grpc-js", guest=_FIRST_GUEST + 8),
    # The page gives its visitor the token of this guest.
    _node("graphiql in chromium", "graphiql.mjs", "playwright-core", guest=programs.DEMO_USER),
    Tool(
        "schemathesis",
        (*_PYTHON, "tests.conformance.fuzzing"),
        ("schemathesis",),
        guest=_FIRST_GUEST + 9,
        deadline=120,
    ),
)

# Checks of what the product does not offer yet, by tool. They are made all the same, and must fail: one that passes is
# to be taken out of here.
NOT_YET: Final[Mapping[str, tuple[str, ...]]] = {}
