"""The console script in this process, with an environment of its own."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from bff.cli import main as cli
from workers import logs
from workers.settings import PREFIX, settings


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


class Shell:
    """A shell in an empty directory with no variable of ours set."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.home: Final = home
        self._patch = patch
        self._capture = capture
        patch.chdir(home)
        patch.setattr(logs, "configure", lambda _: None)
        for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
            patch.delenv(name)

    def set(self, **variables: str) -> None:
        """Sets variables, named without their prefix."""
        for name, value in variables.items():
            self._patch.setenv(f"{PREFIX}{name.upper()}", value)

    def run(self, *arguments: str) -> Ended:
        """Runs `homestay` with these arguments; whatever else than an exit comes out of it is the test's."""
        self._patch.setattr(sys, "argv", ["homestay", *arguments])
        settings.cache_clear()
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        settings.cache_clear()
        said = self._capture.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)
