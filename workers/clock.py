"""The real clock. Only the bootstrap hands it out."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement

from domain.columns import utc_now


class SystemClock:
    """`domain.clock.Clock`: this machine's clock for rules, the database's for conditions."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)

    def sql_now(self, *, ago: timedelta = timedelta()) -> ColumnElement[Any]:
        """The database's present instant, or `ago` before it."""
        return utc_now(ago)
