"""Moves of orders from state to state: the one place that makes them, with all that goes with a move.

One conditional UPDATE decides, and nothing that was read before could. In its transaction go the step of the order's
history and the letters that tell others.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import outbox
from domain.clock import Clock
from domain.database import Database
from domain.order import letters, night_repository, repository, states
from domain.order.ports import Changes
from domain.order.states import CloseReason, TradeState


class _Partly(Exception):
    """Of several orders only some could be moved, and the row count does not say which."""


class Transitions:
    """Moves orders.

    Args:
        database: where they are.
        clock: the present.
        changes: who is told of each move once it is committed.
        announces: whether each move is announced to the guest; off, nobody listens and no letter is written.
    """

    def __init__(self, database: Database, clock: Clock, changes: Changes, *, announces: bool = False) -> None:
        self._database = database
        self._clock = clock
        self._announces = announces
        self._changes = changes

    async def move(
        self,
        sn: str,
        *conditions: ColumnElement[bool],
        current: TradeState,
        to: TradeState,
        reason: CloseReason | None = None,
        **changes: Any,  # noqa: ANN401 -- columns by name
    ) -> bool:
        """Moves one order, and changes other columns of it.

        Returns:
            False where the order was not in `current` or a condition did not hold: somebody else decided.

        Raises:
            InvalidTransition: the move is not in the table of legal moves.
        """
        return bool(await self.move_many([sn], *conditions, current=current, to=to, reason=reason, **changes))

    async def move_many(
        self,
        sns: Sequence[str],
        *conditions: ColumnElement[bool],
        current: TradeState,
        to: TradeState,
        reason: CloseReason | None = None,
        **changes: Any,  # noqa: ANN401 -- columns by name
    ) -> set[str]:
        """Moves orders in one transaction, as if each were moved alone.

        Returns:
            The sn's of those that moved; somebody else decided on the others, or a condition did not hold.

        Raises:
            InvalidTransition: the move is not in the table of legal moves.
        """
        states.check_move(current, to)
        if not sns:
            return set()

        async def work(connection: AsyncConnection, wanted: Sequence[str] = sns) -> set[str]:
            now = self._clock.sql_now()
            moved = await repository.move(
                connection, wanted, *conditions, current=current, to=to, at=now, reason=reason, changes=changes
            )
            if 0 < moved < len(wanted):
                raise _Partly
            if moved:
                await repository.add_events(connection, wanted, current=current, to=to, at=now, reason=reason)
                if to in states.FREES:
                    await night_repository.free(connection, wanted)
                if self._announces:
                    await outbox.add(connection, letters.CHANGED, letters.changed(wanted, to), now)
            return set(wanted) if moved else set()

        async def work_on_those_left(connection: AsyncConnection) -> set[str]:
            left = await repository.movable(connection, sns, *conditions, current=current)
            return await work(connection, left) if left else set()

        try:
            moved = await self._database.write(work)
        except _Partly:
            # Undone. Those that are left are locked first, and then all of them move: so one more try is enough,
            # where others are at the same orders, as a sweep is beside messages in a flood.
            moved = await self._database.write(work_on_those_left)
        if moved:
            self._changes.tell(list(moved))
        return moved
