"""A process of its own that attempts to place orders: `python -m tests.workers.attempts URL LIMIT GUEST ATTEMPTS`."""

import asyncio
import sys

from domain.errors import RateLimited
from workers import fair_use


async def main(url: str, limit: int, guest: int, attempts: int) -> int:
    """How many of the attempts were admitted."""
    # A busy machine is no hung Redis.
    fair_use.PATIENCE = 5.0  # type: ignore[misc]
    admitted = 0
    async with fair_use.open_fair_use(limit, url) as opened:
        for _ in range(attempts):
            try:
                await opened.admit(guest)
            except RateLimited:
                continue
            admitted += 1
    return admitted


if __name__ == "__main__":
    url, *numbers = sys.argv[1:]
    print(asyncio.run(main(url, *map(int, numbers))))  # noqa: T201
