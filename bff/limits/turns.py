"""Whose document is read next, where many come that were not read before."""

import asyncio


class Turns:
    """Lets one newcomer on in each turn of the event loop.

    To read, measure and validate a document takes milliseconds of everybody's time, refused or not. A guest's request
    comes back to the loop for each answer of the database; were all the newcomers of a turn read in that turn, it would
    wait for all of them each time. So newcomers wait for one another, in the order in which they came, and nobody else
    waits for more than one of them.
    """

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    async def wait(self) -> None:
        """Returns when it is the caller's turn, which lasts until it waits for something else."""
        async with self._one:
            # The next one is woken by the loop, after everything else that is ready.
            await asyncio.sleep(0)
