"""The benchmark of the edge: that what it compares can be compared, and that it tells what it measured."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    parse,
    validate,
)

from benchmarks.edge import chart, contenders, operations, page, report
from benchmarks.edge.figures import Figures, Measured, Scaled, ScaledTurn, Turn

ROOT = Path(__file__).parents[2]
QUERIES = (operations.DETAIL, operations.LIST, operations.LIVE, operations.CREATE)


def schema(path: Path) -> GraphQLSchema:
    return build_schema(path.read_text(encoding="utf-8"))


OURS = schema(ROOT / "schema.graphql")
THEIRS = schema(contenders.PEERS / "schema.graphql")


def test_the_peers_have_types_of_ours_and_nothing_else() -> None:
    for name, kind in THEIRS.type_map.items():
        if name.startswith("__"):
            continue
        ours = OURS.type_map[name]
        assert type(kind) is type(ours), name
        if isinstance(kind, GraphQLEnumType) and isinstance(ours, GraphQLEnumType):
            assert set(kind.values) <= set(ours.values), name
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType):
            assert isinstance(ours, GraphQLObjectType | GraphQLInputObjectType)
            assert {field: str(one.type) for field, one in kind.fields.items()}.items() <= {
                field: str(one.type) for field, one in ours.fields.items()
            }.items(), name


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.split()[1].partition("(")[0])
@pytest.mark.parametrize("served", [OURS, THEIRS], ids=["ours", "theirs"])
def test_every_operation_can_be_asked_of_all(query: str, served: GraphQLSchema) -> None:
    assert validate(served, parse(query)) == []


def turn(rate: float, *, p99: float = 10, cpu: float = 1) -> Turn:
    return Turn(requests=round(rate * 2), seconds=2, p50=5, p99=p99, cpu=cpu)


def scaled_turn(cpu: float, database: float) -> ScaledTurn:
    return ScaledTurn(requests=1000, seconds=2, p50=3, p99=5, cpu=cpu / 1000, database=database / 1000)


def figures() -> Figures:
    measured = [
        Measured("ours", "detail", [turn(900), turn(1000), turn(5000)]),
        Measured("mercurius", "detail", [turn(2000), turn(2000), turn(2000)]),
        Measured("ceiling", "detail", [turn(1100), turn(1100), turn(1100)]),
    ]
    pages = [Scaled(f"page {number}", [scaled_turn(300, by)]) for number, by in ((1, 100), (500, 140))]
    processes = [Scaled("list, 2 processes", [scaled_turn(300, 100)])]
    plans = {"page 500": "range on ix_homestay_order_user, 20 rows"}
    return Figures({"Machine": "one"}, measured, {"list by page": pages, report.PROCESSES: processes}, plans)


def test_a_ratio_is_one_of_medians() -> None:
    assert figures().ratio("detail", "mercurius") == 0.5
    assert figures().ratio("detail", "mercurius", of_p99=True) == 1
    assert figures().ratio("detail", "yoga") is None


def test_goals_that_are_missed_are_called_missed() -> None:
    table = report.goals_table(figures())
    assert "| detail, mercurius | 1.0 | 1.25 | 0.50 | **missed** |" in table
    assert "| detail, ceiling | 0.75 | 0.9 | 0.91 | reached |" in table
    assert "| detail, mercurius, p99 (lower is better) | 1.0 | 0.75 | 1.00 | reached |" in table
    assert "| list by page, cost of page 500 over page 1 (lower is better) | 1.2 | 1.05 | 1.10 | reached |" in table


def test_the_page_says_where_ours_loses_and_by_how_much(tmp_path: Path) -> None:
    page.write(figures(), tmp_path / "performance.md")
    written = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "mercurius (JIT, prepared statements) answers 2.00 times as many" in written
    assert "no GraphQL (our ceiling) answers" not in written
    assert "| page 500 | 500 | 2000 | 3.0 | 5.0 | 300 | 140 |" in written
    assert "| page 500 | range on ix_homestay_order_user, 20 rows |" in written
    assert "| list, 2 processes | 500 | 2000 | 3.0 | 5.0 | 300 | 100 |" in written
    assert json.loads((tmp_path / "performance.json").read_text())["measured"][0]["rate"] == 1000


def test_the_chart_is_svg_with_a_bar_for_each() -> None:
    root = ET.fromstring(chart.draw(figures()))  # noqa: S314 -- our own words
    bars = root.findall("{http://www.w3.org/2000/svg}rect")
    assert [float(bar.attrib["width"]) for bar in bars] == [250, 500, 275]
