"""A process of its own that attempts to place orders: `python -m tests.workers.attempts URL LIMIT GUEST ATTEMPTS`."""

import asyncio
import sys

from domain.errors import RateLimited
from workers.fair_use import open_fair_use


async def main(url: str, limit: int, guest: int, attempts: int) -> int:
    """How many of the attempts were admitted."""
    admitted = 0
    async with open_fair_use(limit, url) as fair_use:
        for _ in range(attempts):
            try:
                await fair_use.admit(guest)
            except RateLimited:
                continue
            admitted += 1
    return admitted


if __name__ == "__main__":
    url, *numbers = sys.argv[1:]
    print(asyncio.run(main(url, *map(int, numbers))))  # noqa: T201
