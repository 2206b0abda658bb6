"""What is broken, how, and for how long: by chance, but from a seed that is printed, so that it can be repeated."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.chaos.sites import How, Site

# Seconds that something stays down.
_SHORTEST: Final = 0.1
_LONGEST: Final = 2.0
# Servers come back before the programs that need them to start.
_FIRST: Final = ("mariadb", "redis")


@dataclass(frozen=True, slots=True)
class Blow:
    """One stroke: these are taken down one after another, and come back after `pause` seconds."""

    targets: tuple[tuple[str, How], ...]
    pause: float = 0.0

    def __str__(self) -> str:
        return " + ".join(f"{name} {how.value}" for name, how in self.targets) + f" for {self.pause:.1f} s"

    def strike(self, site: Site) -> None:
        """Does it; returns when all are back."""
        for name, how in self.targets:
            site.take_down(name, how)
        time.sleep(self.pause)
        for name, _ in sorted(self.targets, key=lambda target: target[0] not in _FIRST):
            site.bring_back(name)


def kill(*names: str, pause: float = 0.0) -> Blow:
    """Breaks them off at once."""
    return Blow(tuple((name, How.KILL) for name in names), pause)


# What the long run chooses from, and how often. One worker at least is up but where both are named.
SEPARATE: Final[Sequence[tuple[tuple[tuple[str, How], ...], int]]] = (
    ((("mariadb", How.KILL),), 4),
    ((("mariadb", How.FREEZE),), 1),
    ((("bff", How.KILL),), 4),
    ((("bff", How.STOP),), 2),
    ((("bff", How.FREEZE),), 1),
    ((("worker-1", How.KILL),), 3),
    ((("worker-2", How.STOP),), 2),
    ((("worker-1", How.FREEZE),), 2),
    ((("payment-rpc", How.KILL),), 3),
    ((("payment-rpc", How.STOP),), 1),
    ((("payment-rpc", How.FREEZE),), 2),
    ((("travel-rpc", How.KILL),), 1),
    ((("redis", How.KILL),), 3),
    ((("redis", How.WIPE),), 3),
    ((("redis", How.FREEZE),), 1),
    ((("redis", How.WIPE), ("bff", How.KILL)), 2),
    ((("redis", How.WIPE), ("worker-1", How.KILL), ("payment-rpc", How.KILL)), 2),
    ((("mariadb", How.KILL), ("worker-2", How.KILL)), 1),
    ((("mariadb", How.KILL), ("redis", How.WIPE), ("bff", How.KILL)), 1),
    ((("worker-1", How.KILL), ("worker-2", How.KILL)), 2),
)
EMBEDDED: Final[Sequence[tuple[tuple[tuple[str, How], ...], int]]] = (
    ((("run", How.KILL),), 6),
    ((("run", How.STOP),), 2),
    ((("run", How.FREEZE),), 1),
)


def draw(site: Site, random: Random) -> list[Blow]:
    """The strokes of one round: one, or two one after the other."""
    menu = EMBEDDED if site.targets == {"run"} else SEPARATE
    choices, weights = zip(*menu, strict=True)
    drawn = random.choices(choices, weights, k=random.choice((1, 1, 2)))
    return [Blow(targets, random.uniform(_SHORTEST, _LONGEST)) for targets in drawn]
