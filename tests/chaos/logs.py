"""What our programs wrote while they were killed: no trace of a crash that was to be expected, and nothing secret."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.chaos.findings import LEAK, TRACEBACK, Finding
from tests.chaos.ledger import PLANTED_PHONE

_TRACEBACK: Final = re.compile(r"Traceback \(most recent call last\)")
# A JSON web token, whoever's it is.
_TOKEN: Final = re.compile(r"eyJ[\w-]+\.eyJ")
# A check-in code standing alone; in an order's number it would be part of a longer word.
_CODE: Final = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{8}\b")
# An exception's name and message, where a trace ends.
_RAISED: Final = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Exit|Interrupt|Closed)\b.*", re.MULTILINE)
_SHOWN: Final = 160


class Logs:
    """The logs of an installation, each read on from where the last look ended."""

    def __init__(self, paths: Mapping[str, Path], secrets: Collection[str]) -> None:
        self._paths = paths
        self._secrets = [PLANTED_PHONE, *secrets]
        self._read = dict.fromkeys(paths, 0)

    def findings(self, codes: Collection[str]) -> list[Finding]:
        """What stands in the new part of the logs and must not.

        Args:
            codes: check-in codes of orders.
        """
        found: list[Finding] = []
        for name, path in self._paths.items():
            text = self._new(name, path)
            found += [Finding(TRACEBACK, name, _end_of_trace(text, at)) for at in _starts(_TRACEBACK, text)]
            found += [Finding(LEAK, name, "its log holds a token") for _ in _starts(_TOKEN, text)]
            found += [Finding(LEAK, name, f"its log holds {secret!r}") for secret in self._secrets if secret in text]
            found += [Finding(LEAK, name, "its log holds a check-in code") for _ in {*_CODE.findall(text)} & {*codes}]
        return found

    def about(self, sn: str) -> list[str]:
        """Every line that names an order or a payment."""
        return [
            f"{name}: {line}"
            for name, path in self._paths.items()
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
            if sn in line
        ]

    def _new(self, name: str, path: Path) -> str:
        with path.open("rb") as log:
            log.seek(self._read[name])
            new = log.read()
        self._read[name] += len(new)
        return new.decode(errors="replace")


def _starts(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    return (match.start() for match in pattern.finditer(text))


def _end_of_trace(text: str, start: int) -> str:
    """The line before a trace, which says who logged it, and the exception in which it ends."""
    before = text[:start].rstrip().rpartition("\n")[2].strip()
    raised = _RAISED.search(text, start)
    return f"{before[:_SHOWN]} | {raised.group()[:_SHOWN] if raised else '?'}"
