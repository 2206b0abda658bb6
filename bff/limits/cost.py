"""What an operation asks for, in numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation asks for, with every fragment in its place.

    Attributes:
        depth: fields within fields.
        root_fields: fields of the operation itself.
        aliases: fields under another name.
        directives: directives, wherever they stand.
        fields: fields.
        values: values in the answer, counting a page as long as it is asked for.
    """

    depth: int = 0
    root_fields: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    values: int = 0
