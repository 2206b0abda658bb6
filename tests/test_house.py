"""The house rules that a reader would otherwise have to remember."""

import ast
import filecmp
import re
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from proto.__main__ import generate

ROOT: Final = Path(__file__).parent.parent
ROOMS: Final = ("bff", "workers", "domain", "proto")
MAX_LINES: Final = 400
# Drawers into which anything fits, so that nothing is found again.
NO_NAMES: Final = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}
# What takes a text of SQL: SQLAlchemy's functions, and those of the driver and of our own connection.
TAKE_SQL: Final = {"text", "execute", "exec_driver_sql", "query", "several"}
# Who writes values into statements, as the driver does: see docs/security.md.
WRITE_SQL: Final = {
    "domain/literals.py",
    "domain/mysql_driver.py",
    "domain/prepared.py",
    "domain/together.py",
}
# What `domain` must not know: GraphQL, HTTP, queues, the environment.
FOREIGN_TO_DOMAIN: Final = {
    "strawberry",
    "graphql",
    "starlette",
    "uvicorn",
    "dramatiq",
    "redis",
    "pydantic_settings",
    "os",
}


def sources(*rooms: str) -> Iterator[Path]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "_pb2" not in path.name and "build" not in path.parts and "node_modules" not in path.parts:
                yield path


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def called(node: ast.AST) -> str:
    """The dotted name that a call is of; what it is an attribute of may be no name, and is left out."""
    names, found = [], node.func if isinstance(node, ast.Call) else None
    while isinstance(found, ast.Attribute):
        names.append(found.attr)
        found = found.value
    names += [found.id] if isinstance(found, ast.Name) else [""] if found else []
    return ".".join(reversed(names))


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def test_imports_point_one_way_and_contexts_stay_apart() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 -- our own words
    assert checked.returncode == 0, checked.stdout


def test_domain_knows_no_graphql_no_queue_and_no_environment() -> None:
    known = {str(path.relative_to(ROOT)): imported(path) & FOREIGN_TO_DOMAIN for path in sources("domain", "proto")}
    assert {path: names for path, names in known.items() if names} == {}


def test_domain_asks_no_clock() -> None:
    clocks = ("datetime.now", "datetime.utcnow", "date.today", "time.time", "time.monotonic", "datetime.today")
    found = [place(path, node) for path in sources("domain") for node in nodes(path) if called(node) in clocks]
    assert found == []


def test_nobody_asks_for_a_time_without_a_zone() -> None:
    found = [
        place(path, node)
        for path in sources(*ROOMS, "tests")
        # Most files of tests say nothing of the kind, and need not be parsed.
        if re.search(r"\b(utcnow|today|now)\b", path.read_text(encoding="utf-8"))
        for node in nodes(path)
        if called(node) in {"datetime.utcnow", "datetime.today", "date.today"}
        or (isinstance(node, ast.Call) and called(node) == "datetime.now" and not node.args)
    ]
    assert found == []


def is_pieced(node: ast.AST, pieced: AbstractSet[str] = frozenset()) -> bool:
    """Whether an expression puts a text together, or is a name of one that was."""
    match node:
        case ast.JoinedStr(values=parts):
            return any(isinstance(part, ast.FormattedValue) for part in parts)
        case ast.BinOp():
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace")):
            return True
        case ast.Name(id=name):
            return name in pieced
    return False


def pieced_sql(within: ast.AST) -> Iterator[ast.Call]:
    """Calls that hand a text to a database which was put together in the same function, or in the call itself."""
    for scope in ast.walk(within):
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        assigned = [node for node in ast.walk(scope) if isinstance(node, ast.Assign) and is_pieced(node.value)]
        pieced = {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}
        for node in ast.walk(scope):
            if (
                isinstance(node, ast.Call)
                and called(node).rpartition(".")[2] in TAKE_SQL
                and any(is_pieced(argument, pieced) for argument in node.args)
            ):
                yield node


@pytest.mark.parametrize(
    "source",
    [
        "connection.execute(f'select {sn}')",
        "connection.execute(text('select %s' % sn))",
        "connection.exec_driver_sql('select ' + sn)",
        "driver.query('select {}'.format(sn))",
        "await driver.several(';'.join(said), 2, answers)",
        "def f(sn):\n    said = f'select {sn}'\n    return text(said)",
    ],
)
def test_the_rule_of_sql_sees_a_text_that_was_put_together(source: str) -> None:
    assert [*pieced_sql(ast.parse(source))]
    assert not [*pieced_sql(ast.parse("said = 'select :sn'\nconnection.execute(text(said), {'sn': sn})"))]


def test_sql_is_put_together_from_pieces_in_one_place_only() -> None:
    found = [
        place(path, node)
        for path in sources(*ROOMS)
        if str(path.relative_to(ROOT)) not in WRITE_SQL
        # Most files ask no database, and need no second look.
        if re.search(rf"\b({'|'.join(TAKE_SQL)})\(", path.read_text(encoding="utf-8"))
        for node in pieced_sql(tree(path))
    ]
    assert found == []
    # There a value becomes part of a text by its writer alone, and nobody else has one written.
    others = [
        place(path, node)
        for path in sources(*ROOMS)
        if str(path.relative_to(ROOT)) not in WRITE_SQL
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in {"filled", "filled_with_rows", "escape_string"}
    ]
    assert others == []


def test_every_call_to_another_service_has_a_deadline() -> None:
    # Channels are opened in one place, and what goes through them goes through `rpc.ask`, which wants a deadline.
    channels = [
        place(path, node)
        for path in sources(*ROOMS)
        for node in nodes(path)
        if called(node).endswith(("insecure_channel", "secure_channel")) and path != ROOT / "domain" / "rpc.py"
    ]
    assert channels == []
    asked = [
        {keyword.arg for keyword in node.keywords}
        for path in sources(*ROOMS)
        for node in nodes(path)
        if isinstance(node, ast.Call) and called(node) == "rpc.ask"
    ]
    assert len(asked) >= 5
    assert all("deadline" in keywords for keywords in asked)


def test_messages_are_never_pickled() -> None:
    found = [path for path in sources(*ROOMS) if imported(path) & {"pickle", "cloudpickle"}]
    found += [path for path in sources(*ROOMS) if "PickleEncoder" in path.read_text(encoding="utf-8")]
    assert found == []


def test_files_stay_short_and_are_named_for_one_duty() -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in sources(*ROOMS, "tests")
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    ]
    assert long == []
    assert [path for path in sources(*ROOMS, "tests") if path.stem.strip("_") in NO_NAMES] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path.relative_to(ROOT)) for path in sources(*ROOMS) if not ast.get_docstring(tree(path))]
    assert silent == []


def test_the_generated_modules_are_those_of_the_proto_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert generate(tmp_path) == 0
    capfd.readouterr()
    names = [path.name for path in (tmp_path / "proto").iterdir()]
    assert len(names) == 12
    _, stale, missing = filecmp.cmpfiles(tmp_path / "proto", ROOT / "proto", names, shallow=False)
    assert (stale, missing) == ([], [])
