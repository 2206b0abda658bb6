"""What the stay of these tests costs, and how a client is told."""

from typing import Any, Final

from domain.money import Fen

# Two nights for two in homestay 1: 2 x 299.00, and with food 2 x 2 x 30.00 more.
PRICE: Final = Fen(59800)
PRICE_WITH_FOOD: Final = Fen(71800)


def yuan(minor: int, amount: str) -> dict[str, Any]:
    return {"amountMinor": minor, "currency": "CNY", "amount": amount}
