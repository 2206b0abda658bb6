"""The printed schema keeps what the version that was cut last offered; graphql-core says what breaks clients."""

import re
from pathlib import Path
from typing import Final

from graphql import build_schema
from graphql.utilities import find_breaking_changes

from bff.graph.sdl import print_sdl

ROOT: Final = Path(__file__).parent.parent.parent
RELEASED: Final = (Path(__file__).parent / "released.graphql").read_text(encoding="utf-8")


def test_nothing_that_was_released_is_broken() -> None:
    changes = find_breaking_changes(build_schema(RELEASED), build_schema(print_sdl()))
    assert [change.description for change in changes] == []


def test_the_schema_that_is_kept_is_that_of_the_version_that_was_cut_last() -> None:
    of = re.match(r"# The schema of (\S+),", RELEASED)
    cut = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert of is not None
    assert of[1] == cut[0]
