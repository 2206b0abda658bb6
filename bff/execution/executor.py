"""The executor that Strawberry is given: graphql-core's, which completes values as planned where there is a plan."""

from typing import Any, ClassVar

from graphql import GraphQLOutputType, GraphQLResolveInfo
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bff.execution.plans import Plan, Plans
from bff.execution.waiting import MISS


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
