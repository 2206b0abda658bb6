"""The schema as text: what `homestay schema` prints and what schema.graphql at the root holds."""

from typing import Final

from strawberry.printer import print_schema

from bff.graph import schema

_HEADER: Final = "# Printed from the code by `homestay schema > schema.graphql`; never edited.\n\n"


def print_sdl() -> str:
    """Returns the schema in the schema definition language, always in the same order."""
    return _HEADER + print_schema(schema.build(introspection=True)) + "\n"
