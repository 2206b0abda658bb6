"""Fields where they are selected, and what is known of them before any value is seen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from graphql import FieldNode, GraphQLField, GraphQLObjectType, GraphQLResolveInfo
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor, to_nodes
from graphql.pyutils import Path

# A value that is not what was expected: nothing was done with it.
MISS: Final = object()

# From a value to what it becomes, or an awaitable of that, or MISS.
Complete: TypeAlias = Callable[[Executor[Any], Any, Path, GraphQLResolveInfo[Any]], Any]


class Unknown(Exception):
    """Nothing is known of a type that would help."""


@dataclass(frozen=True)
class Place:
    """A field of a type, as it is selected.

    Attributes:
        type: the type that has it.
        field: the field.
        selected: as often as it is selected.
    """

    type: GraphQLObjectType
    field: GraphQLField
    selected: FieldDetailsList

    @cached_property
    def nodes(self) -> list[FieldNode]:
        """Where it is selected."""
        return to_nodes(self.selected)

    @cached_property
    def key(self) -> str:
        """Its name in the answer."""
        node = self.selected[0].node
        return (node.alias or node.name).value

    def info(self, executor: Executor[Any], path: Path) -> GraphQLResolveInfo[Any]:
        """What a resolver is told of it."""
        return executor.build_resolve_info(self.field, self.nodes, self.type, path)

    def fail(self, executor: Executor[Any], error: Exception, path: Path) -> None:
        """Tells of an error; raises it where the field can't be null."""
        executor.handle_field_error(error, self.field.type, self.selected, path)

    def stock(self, executor: Executor[Any], source: object, path: Path) -> Any:  # noqa: ANN401 -- any value
        """All of it as graphql-core does it."""
        return executor.execute_field(self.type, source, self.selected, path, None)
