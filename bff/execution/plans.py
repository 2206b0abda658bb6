"""What is known of operations that came before: how each of their values is completed."""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    is_leaf_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor

from bff.execution import facts
from bff.execution.places import Complete, Unknown
from bff.execution.root import Root, root_of
from bff.execution.waiting import complete_of

# Operations that are remembered. An edge has as many as its clients have, times their versions.
MAX_OPERATIONS: Final = 256
# Plans of one operation: one for each way in which its variables leave fields out.
MAX_VARIANTS: Final = 8
# An operation is worth a plan when it comes again.
SIGHTS: Final = 2

_CONDITIONS: Final = frozenset({GraphQLSkipDirective.name, GraphQLIncludeDirective.name})


class Plan:
    """How the values of one operation are completed, as far as they were asked for."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], Complete | None] = {}
        self._kept: list[object] = []
        self._root: Root | None = None
        self._has_root = False

    def root(self, executor: Executor[Any]) -> Root | None:
        """How the operation is answered, where it is of one field; None where graphql-core does it."""
        if not self._has_root:
            self._root, self._has_root = root_of(executor), True
        return self._root

    def complete(self, executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList) -> Complete | None:
        """How a value is completed; None where graphql-core does it."""
        key = (
            (id(type_), id(fields[0].node)) if len(fields) == 1 else (id(type_), *(id(field.node) for field in fields))
        )
        try:
            return self._known[key]
        except KeyError:
            # What a key is made of has to stay as long as the key.
            self._kept.append((type_, fields))
            self._known[key] = found = self._find(executor, type_, fields)
            return found

    @staticmethod
    def _find(executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList) -> Complete | None:
        # graphql-core takes the first step out of them and asks again.
        if is_non_null_type(type_) or is_leaf_type(type_):
            return None
        try:
            return complete_of(executor, type_, fields)
        except (Unknown, GraphQLError):
            return None


class Operation:
    """An operation that came before."""

    def __init__(
        self,
        operation: OperationDefinitionNode,
        executor: Executor[Any],
        gone: Callable[["weakref.ref[OperationDefinitionNode]"], None],
    ) -> None:
        self.operation = weakref.ref(operation, gone)
        self.schema = executor.schema
        self.fragments = dict(executor.fragment_definitions)
        self.sights = 0
        self.variables: tuple[str, ...] | None = None
        self.plans: dict[tuple[object, ...], Plan] = {}
        self._looked = False

    def look(self) -> None:
        """Looks at the document, at the first time."""
        operation = self.operation()
        if not self._looked and operation is not None:
            self.variables, self._looked = _variables(operation, self.fragments, self.schema), True

    def is_of(self, operation: OperationDefinitionNode, executor: Executor[Any]) -> bool:
        """Whether this is the operation of an executor."""
        return (
            self.operation() is operation
            and self.schema is executor.schema
            and len(self.fragments) == len(executor.fragment_definitions)
            and all(executor.fragment_definitions.get(name) is node for name, node in self.fragments.items())
        )

    def plan(self, given: dict[str, Any]) -> Plan | None:
        """The plan that there is where variables have these values; None where graphql-core does it all."""
        if self.variables is None:
            return None
        values = tuple(given.get(name) for name in self.variables) if self.variables else ()
        if not all(isinstance(value, bool) for value in values):
            return None
        plan = self.plans.get(values)
        if plan is None and len(self.plans) < MAX_VARIANTS:
            plan = self.plans[values] = Plan()
        return plan


class Plans:
    """The plans of the operations that came last.

    A plan is of an operation's node, not of its text: it serves documents that are kept from one request to the next,
    and goes with them. One event loop's: there is no lock.
    """

    def __init__(self, most: int = MAX_OPERATIONS, sights: int = SIGHTS) -> None:
        self._most = most
        self._sights = sights
        self._operations: OrderedDict[int, Operation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._operations)

    def plan(self, executor: Executor[Any]) -> Plan | None:
        """The plan of what is to be executed; None where graphql-core does it."""
        known = self._find(executor)
        known.sights += 1
        if known.sights < self._sights:
            return None
        known.look()
        return known.plan(executor.variable_values.coerced)

    def operation(self, executor: Executor[Any]) -> Operation:
        """What is known of an operation that is sure to come again."""
        known = self._find(executor)
        known.look()
        return known

    def _find(self, executor: Executor[Any]) -> Operation:
        operation = executor.operation
        key = id(operation)
        known = self._operations.get(key)
        if known is None or not known.is_of(operation, executor):
            return self._add(key, operation, executor)
        self._operations.move_to_end(key)
        return known

    def _add(self, key: int, operation: OperationDefinitionNode, executor: Executor[Any]) -> Operation:
        def gone(reference: "weakref.ref[OperationDefinitionNode]") -> None:
            known = self._operations.get(key)
            if known is not None and known.operation is reference:
                del self._operations[key]

        known = self._operations[key] = Operation(operation, executor, gone)
        self._operations.move_to_end(key)
        if len(self._operations) > self._most:
            self._operations.popitem(last=False)
        return known


def _variables(
    operation: OperationDefinitionNode, fragments: dict[str, FragmentDefinitionNode], schema: GraphQLSchema
) -> tuple[str, ...] | None:
    """The variables that leave fields out; None where something in a document, or of the schema, is unusual."""
    if operation.operation is OperationType.SUBSCRIPTION or facts.strawberry_schema(schema) is None:
        return None
    if any(fragment.variable_definitions for fragment in fragments.values()):
        return None
    directives = list(operation.directives or ())
    if directives or any(fragment.directives for fragment in fragments.values()):
        return None
    for selections in (operation.selection_set, *(fragment.selection_set for fragment in fragments.values())):
        directives += _directives(selections)
    if any(directive.name.value not in _CONDITIONS for directive in directives):
        return None
    return tuple(
        {
            argument.value.name.value: None
            for directive in directives
            for argument in directive.arguments or ()
            if isinstance(argument.value, VariableNode)
        }
    )


def _directives(selections: SelectionSetNode) -> Iterator[DirectiveNode]:
    waiting = [selections]
    while waiting:
        for node in waiting.pop().selections:
            yield from node.directives or ()
            if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set:
                waiting.append(node.selection_set)
