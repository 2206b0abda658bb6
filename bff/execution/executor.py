"""The executor that Strawberry is given: graphql-core's, which completes values as planned where there is a plan."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from graphql import (
    FragmentDefinitionNode,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLResolveInfoHelpers,
    GraphQLSchema,
    OperationDefinitionNode,
    default_field_resolver,
    default_type_resolver,
)
from graphql.execution.collect_fields import FieldDetailsList, FragmentDetails
from graphql.execution.executor import CollectedErrors
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, RefMap
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bff.execution.places import MISS
from bff.execution.plans import Operation, Plan, Plans

# What each execution has of its own beside what it is given, and how it is made: most need none of it.
OWN: Final[dict[str, Callable[[Any], Any]]] = {
    "async_helpers": lambda executor: GraphQLResolveInfoHelpers(executor.gather_async_work, executor.track_async_work),
    "collected_errors": lambda _: CollectedErrors(),
    "pending_incremental_futures": lambda _: set(),
    "background_futures": lambda _: set(),
    "groups": lambda _: [],
    "tasks": lambda _: [],
    "streams": lambda _: [],
    "_relevant_sub_fields": lambda _: {},
    "_stream_usages": lambda _: RefMap(),
    "_initial_execution_plans": lambda _: RefMap(),
    "_deferred_execution_plans": lambda _: RefMap(),
}
# What it is given.
GIVEN: Final = ("variable_values", "context_value", "operation_extensions", "_plan")


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, faster with the values of operations that came before.

    Operations, root fields, variables, arguments and errors are graphql-core's. A value that a resolver returned is
    completed as planned, or handed to graphql-core untouched.

    Attributes:
        plans: what is known of operations that came before, whichever schema they are of.
    """

    plans: ClassVar[Plans] = Plans()

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 -- passed through
        super().__init__(*args, **named)
        self._plan: Plan | None = None
        middleware = self.middleware_manager
        if (middleware is None or not middleware.middlewares) and self.abort_signal is None and self.hooks is None:
            self._plan = self.plans.plan(self)

    if not TYPE_CHECKING:  # it would hide from mypy what there is

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- any attribute
            """Makes what one of `Lasting` has not made yet."""
            make = OWN.get(name)
            if make is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            value = self.__dict__[name] = make(self)
            return value

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: ANN401, FBT001 -- graphql-core's signature
        """The answer as planned; as graphql-core gives it, where there is no plan."""
        root = None if self._plan is None or serially is not None else self._plan.root(self)
        answer = None if root is None else root.begin(self)
        return super().execute_operation(serially) if answer is None else answer

    def complete_value(  # noqa: PLR0917 -- graphql-core's signature
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,  # noqa: ANN401 -- any value
        position_context: Any,  # noqa: ANN401 -- of deferred parts
    ) -> Any:  # noqa: ANN401 -- any value
        """The value as planned; as graphql-core does it, where there is no plan or the value is not of it."""
        plan = self._plan
        if plan is not None and position_context is None and result is not None:
            complete = plan.complete(self, return_type, field_details_list)
            if complete is not None:
                completed = complete(self, result, path, info)
                if completed is not MISS:
                    return completed
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)


@dataclass(frozen=True, slots=True)
class Lasting:
    """What all executors of one operation have in common, so that one more of them is made by a copy.

    Attributes:
        kind: their class.
    """

    kind: type[CompiledExecutor]
    _shared: dict[str, Any]
    _operation: Operation

    @classmethod
    def of(
        cls,
        kind: type[CompiledExecutor],
        schema: GraphQLSchema,
        definitions: dict[str, FragmentDefinitionNode],
        fragments: dict[str, FragmentDetails],
        operation: OperationDefinitionNode,
    ) -> "Lasting":
        """What is common to executors of this operation, without middleware and hooks."""
        made = kind(
            schema,
            definitions,
            fragments,
            None,
            None,
            operation,
            VariableValues({}, {}),
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=optimized_is_awaitable,
        )
        shared = {name: value for name, value in vars(made).items() if name not in OWN and name not in GIVEN}
        return cls(kind, shared, kind.plans.operation(made))

    def executor(self, values: VariableValues, context: object, extensions: dict[str, Any] | None) -> CompiledExecutor:
        """One more of them."""
        made = object.__new__(self.kind)
        # Without a plan there may be parts that are deferred, whose executors are copies and share all this.
        plan = self._operation.plan(values.coerced)
        made.__dict__ = {
            **self._shared,
            "variable_values": values,
            "context_value": context,
            "operation_extensions": extensions,
            "_plan": plan,
        }
        if plan is None:
            for name in OWN:
                getattr(made, name)
        return made
