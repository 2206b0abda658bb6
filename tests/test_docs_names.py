"""What the pages name is there: files, modules, classes and their members, tests; and numbers are those of the code."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from pydantic import BaseModel

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
]
ROOMS: Final = ("bff", "workers", "domain", "proto", "tests", "benchmarks", "deploy", "docs", "requirements")
# What is made, not kept.
MADE: Final = {"bff/explorer/build", "tests/conformance/node/__generated__"}

_FENCE: Final = re.compile(r"```.*?```", re.DOTALL)
_WORD: Final = re.compile(r"`([^`\n]+)`")
_PATH: Final = re.compile(rf"(?<![\w./-])((?:{'|'.join(ROOMS)})(?:/[\w.*-]+)+/?)(?:::(\w+))?")
_DOTTED: Final = re.compile(r"(?:bff|workers|domain|tests|benchmarks)(?:\.\w+)+")
_MEMBER: Final = re.compile(r"([A-Z]\w+)\.([a-z_]\w*)(?:\(\))?")
# A row whose second cell is a number, and whose third the name of what it comes from.
_NUMBER: Final = re.compile(r"^\|[^|]*\| ([\d,.]+)(?: (\w+))? \|[^|]*`([\w.]+)`[^|]*\|$", re.MULTILINE)
_UNITS: Final = {"": 1, "s": 1, "ms": 0.001, "min": 60, "h": 3600, "bytes": 1, "KiB": 1024, "MiB": 1024 * 1024}


def named(page: Path) -> list[str]:
    """Whatever a page has in back quotes; what it shows in blocks is for shells and clients."""
    return _WORD.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def paths(page: Path) -> Iterator[tuple[str, str]]:
    """The files that a page names, each with the test that it names in it."""
    for word in named(page):
        for path, test in _PATH.findall(word):
            yield path.rstrip("."), test


@cache
def members() -> dict[str, set[str]]:
    """Of each class of ours, the names of what it has; classes of one name are taken together."""
    found: dict[str, set[str]] = {}
    for room in ("bff", "workers", "domain"):
        for file in (ROOT / room).rglob("*.py"):
            if not {"node_modules", "build"} & set(file.parts):
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.ClassDef):
                        found.setdefault(node.name, set()).update(_names(node))
    return found


def _names(owner: ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def resolved(name: str) -> Any:
    """What a dotted name stands for: a module, or something in one. A setting stands for its default."""
    place, *rest = name.split(".")
    found: Any = importlib.import_module(place)
    for part in rest:
        place = f"{place}.{part}"
        if isinstance(found, type) and issubclass(found, BaseModel) and part in found.model_fields:
            found = found.model_fields[part].default
        elif hasattr(found, part):
            found = getattr(found, part)
        elif isinstance(found, ModuleType):
            found = importlib.import_module(place)
        else:
            raise AttributeError(place)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_tests_that_a_page_names_are_there(page: Path) -> None:
    for path, test in paths(page):
        if path.rstrip("/") in MADE:
            continue
        found = sorted(ROOT.glob(path.rstrip("/")))
        assert found, f"{page.name}: there is no {path}"
        assert not path.endswith("/") or found[0].is_dir(), f"{page.name}: {path} is no directory"
        assert not test or re.search(rf"^(async )?def {test}\(", found[0].read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_of_the_code_that_a_page_names_are_there(page: Path) -> None:
    for word in named(page):
        if _DOTTED.fullmatch(word) and not word.endswith((".md", ".py")):
            try:
                resolved(word)
            except (ImportError, AttributeError) as error:
                raise AssertionError(f"{page.name}: there is no {word}") from error
        elif (member := _MEMBER.fullmatch(word)) and member[1] in members():
            assert member[2] in members()[member[1]], f"{page.name}: there is no {word}"


def test_the_page_on_how_it_is_built_names_only_classes_that_there_are() -> None:
    words = [_MEMBER.fullmatch(word) for word in named(ROOT / "docs" / "architecture.md")]
    classes = {word[1] for word in words if word}
    assert len(classes) >= 10
    assert classes - members().keys() == set()


def numbers(page: Path) -> list[tuple[float, str]]:
    """The numbers of a page's tables, each with the name of what it comes from."""
    found = _NUMBER.findall(page.read_text(encoding="utf-8"))
    return [
        (float(number.replace(",", "")) * _UNITS[unit if unit in _UNITS else ""], name) for number, unit, name in found
    ]


def test_limits_are_told_as_the_code_has_them() -> None:
    told = numbers(ROOT / "docs" / "security.md")
    assert len(told) >= 30
    for number, name in told:
        value = resolved(name)
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        assert seconds == pytest.approx(number), f"{name} is {seconds}"


def test_the_map_of_the_house_has_every_file_and_no_other() -> None:
    house = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The house")[2].split("```")[1]
    files = [
        file
        for room in ("bff", "workers", "domain")
        for file in (ROOT / room).rglob("*.py")
        if not {"node_modules", "build", "migrations"} & set(file.parts) and not file.stem.startswith("__")
    ]
    words = set(re.findall(r"\w+", house))
    assert {file.stem for file in files} - words == set()
    assert set(re.findall(r"(\w+)\.py\b", house)) - {file.stem for file in files} == set()


def test_a_version_has_its_chapter_in_the_changelog_and_in_the_notes() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *cut = re.findall(r"^## (\S+)", changelog, re.MULTILINE)
    notes = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8").partition("## Notes by version")[2]
    noted = re.findall(r"^### (\S+)", notes, re.MULTILINE)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert first == "Unreleased"
    # One that is worked on has its notes before it is cut.
    assert noted == [version.partition(".dev")[0], *(cut if ".dev" in version else cut[1:])]
    assert ".dev" in version or cut[0] == version
    # What came after a version is not in it, and so its number is not that of what is here.
    assert ".dev" in version or "\n- " not in changelog.partition("## Unreleased")[2].partition("\n## ")[0]


def test_the_changelog_says_nothing_twice() -> None:
    entries = re.findall(r"^- .*(?:\n  .*)*", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(entries) > 20
    assert [entry for entry in {*entries} if entries.count(entry) > 1] == []
