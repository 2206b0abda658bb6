"""What executing an operation costs with graphql-core's executor and with ours: CPU time of this process.

Both execute the same documents, parsed beforehand, over the same schema, in turns, A B B A. Who resolves them is a
stand-in without database or services, which costs the same for both. What is selected is told apart from it by the same
operation with nothing but `__typename` selected of its root field.

    python -m benchmarks.execution [--operations 300] [--rounds 7] [--quick]
"""

import argparse
import gc
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Before anything of ours, which keeps others from loading it where traces are off.
import opentelemetry.sdk.trace  # noqa: F401
import uvloop
from graphql import DocumentNode, ExecutionResult, execute, parse
from graphql.execution.middleware import MiddlewareManager
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bff.cli.progress import shown
from bff.execution.executor import CompiledExecutor
from bff.graph import schema
from tests.bff import documents
from tests.bff.stand_in import StandIn, context_of, sn

PAGE: Final = 20
SCHEMA: Final = schema.build(introspection=True)._schema  # noqa: SLF001 -- what Strawberry itself hands to graphql-core
NODE: Final = f"""
  sn title tradeState nights livePeopleNum needFood liveStartDate liveEndDate createTime payBefore
  orderTotalPrice {documents.MONEY}
"""
STOCK: Final = StrawberryGraphQLCoreExecutionContext


@dataclass
class Measured:
    """An operation, and what one of it came to with each executor, in microseconds."""

    name: str
    text: str
    bare: str
    variables: Mapping[str, Any]
    took: dict[tuple[str, type], list[float]] = field(default_factory=dict)

    async def round(self, operations: int) -> None:
        """Both executors, in turns."""
        for executor in (STOCK, CompiledExecutor, CompiledExecutor, STOCK):
            for text in (self.text, self.bare):
                document = parse(text)
                await repeated(document, self.variables, executor, 3)  # from the second on, ours knows it
                took = await repeated(document, self.variables, executor, operations)
                self.took.setdefault((text, executor), []).append(took)

    def row(self) -> str:
        """A row of the table. The least of the rounds: what else runs on the machine can only add."""
        least = {key: min(took) for key, took in self.took.items()}
        stock, ours = least[self.text, STOCK], least[self.text, CompiledExecutor]
        below = [least[self.text, each] - least[self.bare, each] for each in (STOCK, CompiledExecutor)]
        return (
            f"| {self.name} | {stock:.0f} | {ours:.0f} | {stock / ours:.1f} "
            f"| {below[0]:.0f} | {below[1]:.0f} | {below[0] / below[1]:.1f} |"
        )


async def repeated(
    document: DocumentNode,
    variables: Mapping[str, Any],
    executor: type[StrawberryGraphQLCoreExecutionContext],
    operations: int,
) -> float:
    """Executes an operation so many times; returns the microseconds of CPU that one took."""
    orders = StandIn(PAGE)
    gc.collect()
    began = time.process_time()
    for _ in range(operations):
        result = execute(
            SCHEMA,
            document,
            context_value=context_of(orders),
            variable_values={**variables},
            executor_class=executor,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # it is what Strawberry hands over
            middleware=MiddlewareManager(),
            operation_extensions=None,
        )
        answer = result if isinstance(result, ExecutionResult) else await result
        if answer.errors:
            raise answer.errors[0]
    return (time.process_time() - began) / operations * 1e6


def operations() -> list[Measured]:
    """What is measured."""
    detail, page = (
        "query ($sn: ID!) {{ userHomestayOrderDetail(sn: $sn) {{ {} }} }}",
        "userHomestayOrderList(first: 20)",
    )
    create = "mutation ($input: CreateHomestayOrderInput!) {{ createHomestayOrder(input: $input) {{ {} }} }}"
    order, placed = {"sn": sn(PAGE)}, {"input": documents.stay()}
    bare = "__typename"
    return [
        Measured("detail", detail.format(documents.ORDER), detail.format(bare), order),
        Measured("detail with payment", detail.format(documents.ORDER + documents.PAYMENT), detail.format(bare), order),
        Measured(f"list of {PAGE} x 11", f"{{ {page} {{ nodes {{ {NODE} }} }} }}", f"{{ {page} {{ {bare} }} }}", {}),
        Measured(
            f"list of {PAGE} x 11 with the homestay's title",
            f"{{ {page} {{ nodes {{ {NODE} homestay {{ title }} }} }} }}",
            f"{{ {page} {{ {bare} }} }}",
            {},
        ),
        Measured(
            "create", create.format(f"order {{ {documents.ORDER} }} {documents.REFUSAL}"), create.format(bare), placed
        ),
    ]


async def measure(count: int, rounds: int) -> None:
    """The run, and its table."""
    measured = operations()
    turns = measured * rounds
    with shown(steady=False) as tell:
        for turn, each in enumerate(turns):
            tell(each.name, turn, len(turns))  # between the turns: drawing costs CPU, too
            await each.round(count)
    print(  # noqa: T201
        "| CPU µs | graphql-core | ours | ratio | of it what is selected: graphql-core | ours | ratio |\n"
        "|---|---|---|---|---|---|---|"
    )
    for each in measured:
        print(each.row())  # noqa: T201
    ratios = [min(each.took[each.text, STOCK]) / min(each.took[each.text, CompiledExecutor]) for each in measured]
    print(f"\nAll in all {statistics.geometric_mean(ratios):.1f} times as fast.")  # noqa: T201


def main() -> None:
    """Reads the command line, measures, and prints a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.execution", description=__doc__)
    parser.add_argument("--operations", type=int, default=300, help="in each turn")
    parser.add_argument("--rounds", type=int, default=7, help="of four turns each")
    parser.add_argument("--quick", action="store_true", help="two rounds of 100 operations a turn")
    arguments = parser.parse_args()
    count, rounds = (100, 2) if arguments.quick else (arguments.operations, arguments.rounds)
    uvloop.run(measure(count, rounds))


if __name__ == "__main__":
    main()
