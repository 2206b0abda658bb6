"""The command line of an installation, without a process for each command."""

from typing import Final

import pytest
from typer.testing import CliRunner, Result

from bff.cli import dead_letters, settlements
from bff.cli import main as cli
from workers.settings import Settings


class Terminal:
    """A terminal whose commands find this database; the one thing not real is where their settings come from."""

    def __init__(self, database_url: str, patch: pytest.MonkeyPatch) -> None:
        self.database_url: Final = database_url
        for module in (dead_letters, settlements):
            patch.setattr(module, "read_settings", lambda *_: Settings(database_url=database_url))

    def run(self, *arguments: str) -> Result:
        """Runs a command to its end; a bug's exception is the test's."""
        result = CliRunner().invoke(cli.app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result
