"""`python -m bff.errors_page docs/errors.md` writes the page's tables anew, from what is said beside each code.

What stands around the tables is written by hand and stays.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bff import errors
from bff.graph import enums
from domain.errors import EXPLAINED, ErrorCode, Explanation

_TABLE: Final = re.compile(r"(<!-- codes: ([a-z-]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def filled(page: str) -> str:
    """The page with its tables as they should be.

    Raises:
        KeyError: it wants a table that there is none of, or a code is not explained.
    """
    return _TABLE.sub(lambda table: f"{table[1]}{_table(_tables()[table[2]])}{table[3]}", page)


def _tables() -> Mapping[str, Mapping[str, Explanation]]:
    services = enums.NOT_FOR_GUESTS
    return {
        "refusals": {code: EXPLAINED[code] for code in ErrorCode if code not in services},
        "services": {code: EXPLAINED[code] for code in ErrorCode if code in services},
        "top-level": {code: errors.EXPLAINED[code] for code in errors.EdgeCode},
    }


def _table(codes: Mapping[str, Explanation]) -> str:
    rows = [f"| `{code}` | {said.meaning} | {said.advice} |" for code, said in codes.items()]
    return "\n".join(["| `code` | Meaning | What a client does |", "|---|---|---|", *rows, ""])


def main(arguments: Sequence[str]) -> None:
    """Writes each page that is named."""
    for name in arguments:
        page = Path(name)
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
