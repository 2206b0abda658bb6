"""The contenders: what each is, how it is installed where that is needed, and how it is started."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from benchmarks.edge.processes import CONTENDERS_CORE
from benchmarks.edge.stage import ROOT
from tests.servers import Process, free_port

PEERS: Final = Path(__file__).with_name("peers")
ARIADNE: Final = PEERS / "ariadne"
_READY: Final = re.compile("ready on|GraphQL on")


@dataclass(frozen=True, slots=True)
class Contender:
    """One of those that are measured.

    Attributes:
        name: as a file name.
        title: for people.
        command: what starts it.
        warm: how many times as long as others it is to be warmed: V8 compiles what it has seen often enough.
    """

    name: str
    title: str
    command: Sequence[str | Path]
    warm: int = 1


OURS: Final = Contender("ours", "homestay-bff", [Path(sys.executable).with_name("homestay"), "bff"])
MERCURIUS: Final = Contender(
    "mercurius", "mercurius (JIT, prepared statements)", ["node", PEERS / "mercurius" / "server.js"], warm=5
)
YOGA: Final = Contender(
    "yoga", "graphql-yoga (JIT, prepared statements)", ["node", PEERS / "yoga" / "server.js"], warm=5
)
ARIADNE_TUNED: Final = Contender(
    "ariadne", "ariadne (tuned)", [ARIADNE / ".venv" / "bin" / "python", "-m", "benchmarks.edge.peers.ariadne.server"]
)
CEILING: Final = Contender("ceiling", "no GraphQL (our ceiling)", [sys.executable, "-m", "benchmarks.edge.ceiling"])
ALL: Final = (OURS, MERCURIUS, YOGA, ARIADNE_TUNED, CEILING)


@dataclass
class Running:
    """A contender that answers."""

    contender: Contender
    port: int
    process: Process
    client: httpx.Client = field(repr=False)

    def ask(self, token: str, body: str) -> httpx.Response:
        """Sends one request."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"}
        return self.client.post("/graphql", content=body, headers=headers)


def start(contender: Contender, environment: dict[str, str], *, core: int | None = CONTENDERS_CORE) -> Running:
    """Starts a contender on a core of its own, and waits until it is ready.

    Args:
        contender: which.
        environment: where everything else is.
        core: the one that it may use; None lets it use those of this program.
    """
    port = free_port()
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    process = Process(
        [*pinned, *contender.command], env={**environment, "HOMESTAY_PORT": str(port)}, cwd=ROOT, ready=_READY
    )
    process.start()
    try:
        process.wait_ready(60)
    except BaseException:
        process.kill()
        raise
    return Running(contender, port, process, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10))


def install(wanted: Sequence[Contender]) -> None:
    """Installs what the peers need, each once for every state of its lock and every Python.

    Raises:
        SystemExit: it can't be installed.
    """
    names = {contender.name for contender in wanted}
    if names & {"mercurius", "yoga"}:
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _install_once(PEERS / "package-lock.json", PEERS / "node_modules", [npm])
    if "ariadne" in names:
        venv, lock = ARIADNE / ".venv", ARIADNE / "requirements.lock"
        pip: list[str | Path] = [
            venv / "bin" / "python",
            "-m",
            "pip",
            "--quiet",
            "--quiet",
            "--disable-pip-version-check",
            "install",
        ]
        commands: list[list[str | Path]] = [
            [sys.executable, "-m", "venv", venv],
            [*pip, "--require-hashes", "-r", lock],
        ]
        _install_once(lock, venv, commands)


def _install_once(lock: Path, directory: Path, commands: Sequence[Sequence[str | Path]]) -> None:
    stamp = directory / ".lock"
    # And for every Python: the one that ours runs on is theirs, too.
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Installing {lock.relative_to(ROOT)} ...", file=sys.stderr)  # noqa: T201
    shutil.rmtree(directory, ignore_errors=True)
    for command in commands:
        if not shutil.which(command[0]):
            raise SystemExit(f"{command[0]} is not installed")
        if subprocess.run(command, cwd=lock.parent, stdout=subprocess.DEVNULL, check=False).returncode:  # noqa: S603
            raise SystemExit(f"{lock.relative_to(ROOT)} can't be installed")
    stamp.write_text(wanted)
