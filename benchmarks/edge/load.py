"""wrk: what it is told, and what it tells."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.edge import operations
from benchmarks.edge.rows import HEAVY_GUEST, HOMESTAYS, Rows
from bff.graph import ids
from bff.identity.tokens import Tokens

SCRIPT: Final = Path(__file__).with_name("requests.lua")
CONNECTIONS: Final = 32
NIGHTS: Final = 2
# Pairs of nights of one homestay before the two years end that an order may lie ahead.
PAIRS: Final = 350
# Orders that are looked at, and guests who place some: more than can have several each in one run.
SAMPLES: Final = 5000
PLACING_GUESTS: Final = 20_000
FIRST_PLACING_GUEST: Final = 1_000_000
TOKEN_TTL: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """What one run of wrk came to; latencies in milliseconds."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p99: float
    failed: int
    wrong: int
    slot: int


class Load:
    """The requests of one run, and wrk to send them.

    Args:
        directory: where the requests are kept.
        key: the key that signs tokens.
    """

    def __init__(self, directory: Path, key: str) -> None:
        self._directory = directory
        self._tokens = Tokens(key)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._first_day = today + timedelta(days=10)
        self.slot = 0

    def prepare(self, rows: Rows, guests: int, *, named: str = "") -> None:
        """Writes down what can be asked of these rows, under names that end so."""
        # One token a guest, for signing takes longer than sending.
        signed = {guest: self.token(guest) for guest in range(1, guests + 1)}
        self._write(f"detail{named}", [(signed[guest], detail(sn)) for guest, sn in rows.paid(SAMPLES, guests)])
        self._write(f"list{named}", [(token, _body("List", operations.LIST)) for token in signed.values()])
        self._write(f"live{named}", [(token, _body("Live", operations.LIVE)) for token in signed.values()])
        placing = range(FIRST_PLACING_GUEST, FIRST_PLACING_GUEST + PLACING_GUESTS)
        (self._directory / "tokens").write_text("".join(f"{self.token(guest)}\n" for guest in placing))
        template = _body("Create", operations.CREATE, {"input": _input("@HOMESTAY@", "@START@", "@END@", "@KEY@")})
        (self._directory / "create.json").write_text(template)

    def prepare_page(self, name: str, after: int | None) -> None:
        """Writes down one page of the guest who has very many orders."""
        query, variables = operations.OLDER, {"after": None if after is None else ids.cursor(after)}
        self._write(name, [(self.token(HEAVY_GUEST), _body("Older", query, variables))])

    def token(self, guest: int) -> str:
        """A guest's token."""
        return self._tokens.sign(guest, TOKEN_TTL)

    def sample(self, name: str, count: int) -> list[tuple[str, str]]:
        """Some requests of an operation, token and body each, from everywhere in its file."""
        if name == "create":
            return [self._create() for _ in range(count)]
        lines = (self._directory / f"{name}.tsv").read_text().splitlines()
        chosen = lines[:: max(1, len(lines) // count)][:count]
        return [(token, body) for token, _, body in (line.partition("\t") for line in chosen)]

    def _create(self) -> tuple[str, str]:
        homestay, start = self.slot % HOMESTAYS + 1, self._first_day + timedelta(days=self.slot // HOMESTAYS * NIGHTS)
        self.slot += 1
        end = start + timedelta(days=NIGHTS)
        wanted = _input(str(homestay), f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}", f"slot-{self.slot}")
        return self.token(FIRST_PLACING_GUEST), _body("Create", operations.CREATE, {"input": wanted})

    def drive(self, port: int, name: str, *, seconds: int, seed: int, look: bool = False) -> Told:
        """Sends requests for so long; with `look`, each answer is looked at for errors, which takes time of its own.

        Raises:
            SystemExit: there are not enough nights for so many orders, or wrk fails.
        """
        arguments = [
            name,
            self._directory,
            seed,
            self.slot,
            HOMESTAYS,
            int(self._first_day.timestamp()),
            "look" if look else "",
        ]
        command = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "--timeout",
            "10s",
            "-s",
            str(SCRIPT),
            f"http://127.0.0.1:{port}",
            "--",
        ]
        done = subprocess.run(  # noqa: S603 -- our own words
            [*command, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"wrk failed: {done.stdout}{done.stderr}")
        told = Told(**json.loads(done.stdout.splitlines()[-1]))
        self.slot = told.slot
        if self.slot > HOMESTAYS * PAIRS:
            raise SystemExit("there are no nights left for more orders: measure for a shorter time")
        return told

    def _write(self, name: str, requests: list[tuple[str, str]]) -> None:
        (self._directory / f"{name}.tsv").write_text("".join(f"{token}\t{body}\n" for token, body in requests))


def check_installed() -> None:
    """Says what to install where it is missing.

    Raises:
        SystemExit: wrk or taskset is not there.
    """
    for program, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if not shutil.which(program):
            raise SystemExit(f"{program} is not installed: install {package}, or run `make servers` as root")


def detail(sn: str) -> str:
    """The body that asks for one order."""
    return _body("Detail", operations.DETAIL, {"sn": sn})


def _input(homestay: str, start: str, end: str, key: str) -> dict[str, Any]:
    return {
        "homestayId": homestay,
        "liveStartDate": start,
        "liveEndDate": end,
        "livePeopleNum": 2,
        "needFood": True,
        # It has a default; but the JIT that graphql-yoga takes wants every field that may not be null.
        "remark": "",
        "idempotencyKey": key,
    }


def _body(name: str, query: str, variables: dict[str, Any] | None = None) -> str:
    return json.dumps({"operationName": name, "query": query, "variables": variables or {}})
