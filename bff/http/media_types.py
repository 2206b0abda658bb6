"""Media types of questions and answers, and which one a client likes best."""

from functools import lru_cache
from typing import Final

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
EVENTS: Final = "text/event-stream"


@lru_cache(maxsize=256)
def answer_type(accept: str | None) -> str:
    """The media type of the answer: what the client prefers of the three, plain JSON where it does not say.

    Clients that list events after JSON do not want them: they name all that they could read.
    """
    best, best_quality = JSON, 0.0
    for part in (accept or JSON).split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name in {JSON, GRAPHQL_JSON, EVENTS} and quality > best_quality:
            best, best_quality = name, quality
    return best
