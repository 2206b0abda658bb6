"""Documents that came before: parsed and validated once, and kept from one request to the next.

What is kept depends on a document's text and the schema alone. What depends on variables, on who is asking or on which
operation is meant is found out anew each time; `bff.limits.gate` does so.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from graphql import DocumentNode, GraphQLError, GraphQLSchema, TokenKind, parse

from bff.execution.again import Known
from bff.limits.cost import Cost

# Documents, and bytes of memory. An edge has as many documents as its clients have, times their versions.
MAX_DOCUMENTS: Final = 256
MAX_BYTES: Final = 64 * 1024 * 1024
# What one token of a parsed document takes, its node, its place and its share of a plan; measured with `tracemalloc`,
# and held by a test.
BYTES_PER_TOKEN: Final = 2048
# Without memory of their own: an empty document.
_BYTES_PER_DOCUMENT: Final = 2048

Validate = Callable[[DocumentNode], Sequence[GraphQLError]]


@dataclass(slots=True)
class Document:
    """A document that was parsed.

    Attributes:
        node: the document; one object for all requests, so that what is known of its operations stays known.
        size: what it takes, in bytes, roughly.
        sizes: the variables that say how long its lists are, once they are known.
        costs: what it was found to cost, by what these said.
        operations: what is known of its operations, by the names that requests give.
    """

    node: DocumentNode
    size: int
    sizes: tuple[str, ...] | None = None
    costs: dict[tuple[object, ...], Cost] = field(default_factory=dict)
    operations: dict[str | None, Known] = field(default_factory=dict)
    _errors: tuple[GraphQLError, ...] | None = None

    def known(self, schema: GraphQLSchema, name: str | None) -> Known | None:
        """What is known of an operation; None before the document was found to be valid, and where it is unusual.

        Args:
            schema: the one that the document is valid against.
            name: of the operation that a request means; None where it does not say.
        """
        if self._errors != ():
            return None
        if name not in self.operations:
            found = Known.of(schema, self.node, name)
            if found is None:
                return None  # names are the clients', and there is no end of them
            self.operations[name] = found
        return self.operations[name]

    def errors(self, validate: Validate) -> list[GraphQLError]:
        """What the validation finds; it is asked the first time only.

        Args:
            validate: validates a document against the schema, always the same one.

        Returns:
            A list of the caller's own.
        """
        if self._errors is None:
            self._errors = tuple(validate(self.node))
        return list(self._errors)


class Documents:
    """The documents that came last, of one schema.

    One event loop's: there is no lock.

    Args:
        max_tokens: of one document; parsing stops there.
        check: looks at a text that did not come before, and raises where it is not even to be parsed.
        most: documents that are kept.
        most_bytes: that they take together.
    """

    def __init__(
        self,
        max_tokens: int,
        most: int = MAX_DOCUMENTS,
        most_bytes: int = MAX_BYTES,
        *,
        check: Callable[[str], None] | None = None,
    ) -> None:
        self._check = check
        self._max_tokens = max_tokens
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, text: str) -> Document | None:
        """The document of this text, where it is kept."""
        kept = self._kept.get(text)
        if kept is not None:
            self._kept.move_to_end(text)
        return kept

    def parse(self, text: str) -> Document:
        """The document of this text.

        Raises:
            GraphQLSyntaxError: it is none, or too long. That is not kept: a text that is no document costs least.
        """
        kept = self.find(text)
        if kept is not None:
            return kept
        if self._check is not None:
            self._check(text)
        node = parse(text, max_tokens=self._max_tokens)
        document = Document(node, _BYTES_PER_DOCUMENT + sys.getsizeof(text) + BYTES_PER_TOKEN * _tokens(node))
        # One that alone is too much is served, and not kept.
        if document.size <= self._most_bytes:
            self._kept[text] = document
            self.bytes += document.size
            while len(self._kept) > self._most or self.bytes > self._most_bytes:
                _, forgotten = self._kept.popitem(last=False)
                self.bytes -= forgotten.size
        return document


def _tokens(document: DocumentNode) -> int:
    """How many tokens a document was made of, comments included: all of them stay in memory with it."""
    count, token = 0, document.loc.start_token if document.loc else None
    while token is not None and token.kind is not TokenKind.EOF:
        count += 1
        token = token.next
    return count
