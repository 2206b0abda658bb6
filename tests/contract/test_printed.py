"""schema.graphql at the root is what the code prints: who has read the one knows the other."""

from pathlib import Path
from typing import Final

from graphql import assert_valid_schema, build_schema

import bff
from bff.graph.sdl import print_sdl

ROOT: Final = Path(bff.__file__).parent.parent


def test_the_schema_at_the_root_is_what_the_code_prints() -> None:
    assert (ROOT / "schema.graphql").read_text(encoding="utf-8") == print_sdl()


def test_what_is_printed_is_a_valid_schema() -> None:
    assert_valid_schema(build_schema(print_sdl()))
