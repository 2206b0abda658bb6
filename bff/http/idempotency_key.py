"""Where a client says the key of its request: in the mutation's argument, in the Idempotency-Key header, or in both."""

import re
from collections.abc import Sequence
from typing import Final

from domain.errors import InvalidInput

HEADER: Final = "idempotency-key"
# The argument that does the same, and the field that is to blame for either.
ARGUMENT: Final = "idempotencyKey"

# A string of RFC 8941, as the header's draft has it; and what clients send that never read the draft.
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE: Final = re.compile(r"[!#-~][ -~]*")
_ESCAPED: Final = re.compile(r"\\(.)")


def agreed(argument: str | None, headers: Sequence[str]) -> str | None:
    """The one key that a mutation is given, or None where it is given none.

    Args:
        argument: as the mutation says it; None where it says nothing.
        headers: the values of the request's headers of this name.

    Raises:
        InvalidInput: a header has no key, or there are several that differ. Whether any request may have this key
            is for the order rules to say.
    """
    keys = {_said(value) for value in headers} | ({argument} if argument is not None else set())
    if len(keys) > 1:
        raise InvalidInput("The header and the argument give different keys; one of them is enough.", ARGUMENT)
    return next(iter(keys), None)


def _said(header: str) -> str:
    value = header.strip(" \t")
    if quoted := _QUOTED.fullmatch(value):
        return _ESCAPED.sub(r"\1", quoted[1])
    # An empty one is refused too: who sends it takes the request for one that may be sent again.
    if not _BARE.fullmatch(value):
        raise InvalidInput("The Idempotency-Key header holds printable ASCII, bare or as a quoted string.", ARGUMENT)
    return value
