"""What a document may cost, known before it is validated, let alone run: each fragment is looked at once.

The limits are those of public GraphQL services, with room above the largest operation that the contract needs. What
they stop are documents of a few hundred bytes that ask for millions of fields, or take seconds to validate.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

from bff.errors import EdgeCode
from bff.execution.documents import Document
from bff.graph.connection import DEFAULT_PAGE, MAX_PAGE
from bff.limits.cost import Cost

# Tokens of a document; parsing stops there.
MAX_TOKENS: Final = 1000
_COMMENT_OR_STRING: Final = re.compile(r'#[^\n\r]*|"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n\r]|\\.)*"', re.DOTALL)
_TOKEN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|-?[0-9][0-9.eE+-]*|\.\.\.|[!$&()\[\]{}:=@|]")
# A list of a list of … doubles with each fragment: numbers stay small enough to be added fast.
_CAP: Final = 10**9
# Costs of one document that are kept. A client asks for pages of one size, or of a few.
_MAX_SIZES: Final = 16
# Fields with as many values as an argument says, and others, with what is assumed of them.
_PAGES: Final = frozenset({"userHomestayOrderList"})
_BATCHES: Final = frozenset({"nodes"})
_LISTS: Final = {"homestayCalendar": 92, "history": 4}


LIMITS: Final = Cost(depth=8, root_fields=10, aliases=15, directives=30, fields=300, values=10_000)
# The question of tools for the schema is deep and long, and costs nobody a query.
INTROSPECTION: Final = Cost(depth=20, root_fields=10, aliases=15, directives=30, fields=1000, values=10_000)


def check_length(text: str) -> None:
    """Counts the tokens of a text, in a thirtieth of the time that the parser takes to find that there are too many.

    Raises:
        GraphQLError: OPERATION_TOO_COMPLEX, as `check` says it.
    """
    if len(text) > MAX_TOKENS:
        count = sum(1 for _ in _TOKEN.finditer(_COMMENT_OR_STRING.sub(_without_tokens, text)))
        if count > MAX_TOKENS:
            raise _too_complex("tokens", count, MAX_TOKENS)


def _without_tokens(found: re.Match[str]) -> str:
    # A string is one token, a comment is none.
    return " " if found[0].startswith("#") else " x "


def check(document: DocumentNode, variables: Mapping[str, Any] | None, asked: set[str] | None = None) -> Cost:
    """Measures every operation of a document, the ones that are not run too: validating them costs as much.

    Args:
        document: what was sent.
        variables: the values of its variables.
        asked: gets the names of those variables of which the cost depends.

    Returns:
        The cost of the dearest of them.

    Raises:
        GraphQLError: OPERATION_TOO_COMPLEX; its extensions say which `limit`, its `max` and the `value` found.
    """
    measure = _Measure(document, variables or {}, set() if asked is None else asked)
    dearest = Cost()
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            cost = measure.operation(operation)
            limits = INTROSPECTION if _asks_only_of_the_schema(operation.selection_set) else LIMITS
            for limit in fields(Cost):
                value, most = getattr(cost, limit.name), getattr(limits, limit.name)
                if value > most:
                    raise _too_complex(limit.name.replace("_", " "), value, most)
            dearest = max(dearest, cost, key=lambda one: one.values)
    return dearest


def known_cost(kept: Document, variables: Mapping[str, Any] | None) -> Cost | None:
    """What a document that is kept was found to cost with lists of these sizes; None where that is not known yet."""
    if not kept.sizes:
        return None if kept.sizes is None else kept.costs.get(())
    given = variables or {}
    return kept.costs.get(tuple(_size(given.get(name)) for name in kept.sizes))


def check_kept(kept: Document, variables: Mapping[str, Any] | None) -> Cost:
    """The same of a document that is kept: measured once for each size that its variables give to its lists.

    Raises:
        GraphQLError: as `check`.
    """
    given = variables or {}
    known = known_cost(kept, given)
    if known is not None:
        return known
    asked: set[str] = set()
    cost = check(kept.node, given, asked)
    # A document is walked as a whole whatever its variables are, so it asks for the same ones each time.
    kept.sizes = tuple(sorted(asked))
    if len(kept.costs) >= _MAX_SIZES:
        kept.costs.clear()
    kept.costs[tuple(_size(given.get(name)) for name in kept.sizes)] = cost
    return cost


def _size(value: object) -> tuple[str, int] | None:
    """All that a variable's value can mean to a cost."""
    match value:
        case int(number):
            return "number", max(0, min(number, MAX_PAGE))
        case list(values):
            return "length", len(values)
    return None


def _too_complex(limit: str, value: int, most: int) -> GraphQLError:
    found = f"over {_CAP}" if value >= _CAP else str(value)
    return GraphQLError(
        f"The operation is too complex: {limit} {found}, at most {most}.",
        extensions={"code": EdgeCode.OPERATION_TOO_COMPLEX, "limit": limit, "value": min(value, _CAP), "max": most},
    )


def _asks_only_of_the_schema(selections: SelectionSetNode) -> bool:
    return all(isinstance(node, FieldNode) and node.name.value.startswith("__") for node in selections.selections)


class _Measure:
    def __init__(self, document: DocumentNode, variables: Mapping[str, Any], asked: set[str]) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._variables = variables
        self._asked = asked
        self._known: dict[tuple[str, bool], Cost] = {}
        self._under_way: set[str] = set()

    def operation(self, operation: OperationDefinitionNode) -> Cost:
        inner = self._selections(operation.selection_set, root=True)
        return _sum([inner], directives=len(operation.directives or ()))

    def _selections(self, selections: SelectionSetNode | None, *, root: bool) -> Cost:
        return _sum(self._each(selections, root=root)) if selections else Cost()

    def _each(self, selections: SelectionSetNode, *, root: bool) -> Iterator[Cost]:
        for node in selections.selections:
            directives = len(node.directives or ())
            match node:
                case FieldNode():
                    yield self._field(node, directives, root=root)
                case FragmentSpreadNode():
                    yield _sum([self._fragment(node.name.value, root=root)], directives=directives)
                case InlineFragmentNode():
                    yield _sum([self._selections(node.selection_set, root=root)], directives=directives)

    def _field(self, node: FieldNode, directives: int, *, root: bool) -> Cost:
        inner = self._selections(node.selection_set, root=False)
        return Cost(
            depth=inner.depth + 1,
            root_fields=int(root),
            aliases=min(inner.aliases + (node.alias is not None), _CAP),
            directives=min(inner.directives + directives, _CAP),
            fields=min(inner.fields + 1, _CAP),
            values=min(inner.values * self._times(node, root=root) + 1, _CAP),
        )

    def _fragment(self, name: str, *, root: bool) -> Cost:
        if (name, root) in self._known:
            return self._known[name, root]
        # One that is in itself, or is not there, is for the validation to say.
        if name in self._under_way or name not in self._fragments:
            return Cost()
        self._under_way.add(name)
        cost = self._selections(self._fragments[name].selection_set, root=root)
        self._under_way.discard(name)
        self._known[name, root] = cost
        return cost

    def _times(self, node: FieldNode, *, root: bool) -> int:
        """How many values of a field there may be."""
        name = node.name.value
        if root and name in _PAGES:
            sizes = [self._integer(node, argument) for argument in ("first", "last")]
            return max((size for size in sizes if size is not None), default=DEFAULT_PAGE)
        if root and name in _BATCHES:
            return self._length(node, "ids")
        return _LISTS.get(name, 1)

    def _integer(self, node: FieldNode, argument: str) -> int | None:
        match self._argument(node, argument):
            case IntValueNode(value=digits):
                return min(int(digits[:10]), MAX_PAGE)
            case int(number):
                return max(0, min(number, MAX_PAGE))
        return None

    def _length(self, node: FieldNode, argument: str) -> int:
        match self._argument(node, argument):
            case ListValueNode(values=values):
                return len(values)
            case list(values):
                return len(values)
        return 1

    def _argument(self, node: FieldNode, name: str) -> Any:  # noqa: ANN401 -- a node of the document, or a JSON value
        for argument in node.arguments or ():
            if argument.name.value == name:
                value = argument.value
                if not isinstance(value, VariableNode):
                    return value
                self._asked.add(value.name.value)
                return self._variables.get(value.name.value)
        return None


def _sum(costs: Iterator[Cost] | list[Cost], *, directives: int = 0) -> Cost:
    depth = root_fields = aliases = found = values = 0
    for cost in costs:
        depth = max(depth, cost.depth)
        root_fields += cost.root_fields
        aliases += cost.aliases
        directives += cost.directives
        found += cost.fields
        values += cost.values
    return Cost(
        depth, min(root_fields, _CAP), min(aliases, _CAP), min(directives, _CAP), min(found, _CAP), min(values, _CAP)
    )
