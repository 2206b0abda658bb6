"""What `homestay migrate` tells: for people, or in JSON."""

import json
from dataclasses import dataclass

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

    def as_json(self) -> str:
        """One object."""
        return json.dumps(
            {
                "version": self.version,
                "adopted": self.nights.adopted,
                "freed": self.nights.freed,
                "conflicts": [
                    {
                        "sn": conflict.sn,
                        "homestayId": conflict.homestay_id,
                        "nights": [night.isoformat() for night in conflict.nights],
                    }
                    for conflict in self.nights.conflicts
                ],
            }
        )


def progress(done: Adopted) -> str:
    """How far an adoption is, in a line."""
    return f"nights: {done.adopted} orders have theirs, {len(done.conflicts)} can't have them"
