"""What a database would do to run a statement."""

from typing import Any

import sqlalchemy as sa

from domain.database import Database


async def plan(database: Database, statement: sa.Select[Any]) -> tuple[set[str], str]:
    """The index that the database would use, and what it would do in vain: read everything, or sort what it found."""
    compiled = statement.compile(database.engine.sync_engine, compile_kwargs={"literal_binds": True})
    sqlite = database.engine.dialect.name == "sqlite"
    explain = sa.text(f"explain {'query plan' if sqlite else ''} {compiled}".replace(":", r"\:"))
    (step, *more) = [row._mapping for row in await database.read(lambda connection: connection.execute(explain))]
    assert sqlite or not more
    if sqlite:
        details = [step["detail"], *(row["detail"] for row in more)]
        vain = [detail for detail in details if not detail.startswith("SEARCH")]
        return {word for word in step["detail"].split() if word.startswith("ix_")}, ", ".join(vain)
    vain = [word for word in ("filesort", "temporary") if word in step["Extra"]]
    vain += [step["type"]] if step["type"] in {"ALL", "index"} else []
    return {step["key"]}, ", ".join(vain)
