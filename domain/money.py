"""Money is an integer count of fen, the hundredth of a yuan, everywhere inside."""

from typing import Final, NewType

from domain.errors import InvalidInput

Fen = NewType("Fen", int)

# The largest integer that every JSON reader keeps exactly (RFC 8259, section 6).
MAX_FEN: Final = Fen(2**53 - 1)


def checked(fen: int) -> Fen:
    """Returns `fen` as an amount of money.

    Raises:
        InvalidInput: the amount is negative or above `MAX_FEN`; no float and no 64-bit column may round it.
    """
    if not 0 <= fen <= MAX_FEN:
        raise InvalidInput("The amount is out of range.")
    return Fen(fen)
