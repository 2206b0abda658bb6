"""What came of an operation, and in what two of them may differ: nothing, but for when something was loaded."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

# What is only asked by loaders, beside fields that want one.
LOADED: Final = frozenset({"homestay", "payment"})
# The names in answers of fields that have one.
LOADED_KEYS: Final = LOADED | {f"{name}Too" for name in LOADED}

_LOADED_FIELDS: Final = {("HomestayOrder", name) for name in LOADED}

Place: TypeAlias = tuple[str | int, ...]

# All of an answer, in JSON, where there is nothing.
_GONE: Final = "null"


@dataclass
class Outcome:
    """What came of an operation, in a form that can be compared.

    Attributes:
        data: of the answer.
        errors: of the answer, in order.
        ran: the resolvers that ran, in order: the type, the field, and where and with what.
        asked: what use cases were asked for, in order: which, and all of it as it reads.
        cancelled: whether there was no answer.
        at_once: whether a loader was asked for all objects of a list at once.
    """

    data: str
    errors: list[tuple[object, ...]]
    ran: list[tuple[Any, ...]]
    asked: list[tuple[str, str]]
    cancelled: bool
    at_once: bool

    def differing(self, ours: "Outcome") -> dict[str, Any]:
        """What is not the same in ours; of each both.

        Where ours asked a loader for all objects of a list at once, it did so some turns of the loop sooner, and by no
        resolver. So errors came in another order; and where all is gone, by an error of something else, other fields
        may have failed before, or asked for something, or not. But nobody asks twice.
        """
        mine, theirs = (each.when_loaded() if ours.at_once else vars(each) for each in (self, ours))
        found = {part: (mine[part], theirs[part]) for part in mine if part != "at_once"}
        if ours.at_once and self.data == _GONE:
            found["errors"] = (bool(self.errors), bool(ours.errors))
            del found["asked"]
            if all(count <= max(1, mine["loaded"][each]) for each, count in theirs["loaded"].items()):
                del found["loaded"]
        return {part: both for part, both in found.items() if both[0] != both[1]}

    def when_loaded(self) -> dict[str, Any]:
        """The same whenever and by whom something was loaded.

        Where an object is gone, by an error of another field of it, one of what was loaded may have come first or not.
        """
        answer = json.loads(self.data)
        told = [
            error
            for error in self.errors
            if not LOADED_KEYS.intersection(path := cast("Place", error[1])) or _is_there(answer, path)
        ]
        return {
            "data": self.data,
            "errors": sorted(told, key=repr),
            "ran": [each for each in self.ran if each[:2] not in _LOADED_FIELDS],
            "asked": [each for each in self.asked if each[0] not in LOADED],
            "loaded": Counter(each for each in self.asked if each[0] in LOADED),
            "cancelled": self.cancelled,
        }


def _is_there(data: Any, path: Place) -> bool:
    """Whether nothing that a path leads through is gone."""
    for key in path:
        if data is None:
            return False
        data = data[key]
    return True
