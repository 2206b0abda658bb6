"""What `homestay migrate` tells: for people, or in JSON."""

from dataclasses import dataclass
from typing import Any

from domain.order.adoption import Adopted


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration came to.

    Attributes:
        version: the tables' version now.
        nights: what became of orders without nights, and of closed ones with some.
    """

    version: str | None
    nights: Adopted

    def as_text(self) -> str:
        """A few lines, and one for each order that got no nights."""
        done = self.nights
        lines = [f"the database is at version {self.version}"]
        if done.adopted or done.freed:
            lines.append(f"{done.adopted} orders took their nights, {done.freed} closed ones gave theirs up")
        if done.conflicts:
            lines.append(f"{len(done.conflicts)} orders have no nights, because other orders hold these:")
        for conflict in done.conflicts:
            nights = ", ".join(night.isoformat() for night in conflict.nights)
            lines.append(f"  {conflict.sn}  homestay {conflict.homestay_id}  {nights}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """One object."""
        return {
            "version": self.version,
            "adopted": self.nights.adopted,
            "freed": self.nights.freed,
            "conflicts": [
                {
                    "sn": conflict.sn,
                    "homestay_id": conflict.homestay_id,
                    "nights": [night.isoformat() for night in conflict.nights],
                }
                for conflict in self.nights.conflicts
            ],
        }
