"""What becomes of a tool that fails, breaks off, hangs or says nothing: a conformance run must not pass by it."""

import json
import re
import sys
from typing import Any

import pytest

from tests.conformance import report
from tests.conformance.runs import Outcome, Run, run
from tests.conformance.tools import NODE, NOT_YET, TOOLS, Tool

SAY = 'print(\'{"check": "%s", "passed": %s, "detail": "why"}\', flush=True);'
GOOD, BAD = SAY % ("good", "true"), SAY % ("bad", "false")


def played(code: str, not_yet: tuple[str, ...] = (), deadline: float = 10) -> Run:
    return run(Tool("a tool", (sys.executable, "-c", code), ("pytest",), guest=1, deadline=deadline), {}, not_yet)


def outcomes(done: Run) -> dict[str, Outcome]:
    return {check.name: check.outcome for check in done.checks}


def test_each_line_is_a_check() -> None:
    done = played("print('a warning');" + GOOD + BAD)
    assert outcomes(done) == {"good": Outcome.PASSED, "bad": Outcome.FAILED}
    assert report.failed([done])
    assert not report.failed([played(GOOD)])


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (GOOD + "raise SystemExit(3)", "exit code 3"),
        (GOOD + "import time; time.sleep(60)", "within 1 s"),
        ("print('nothing to do')", "checked nothing"),
    ],
)
def test_a_tool_that_does_not_do_its_work_has_failed(code: str, why: str) -> None:
    done = played(code, deadline=1 if "sleep" in code else 10)
    (broken,) = done.of(Outcome.FAILED)
    assert why in broken.detail
    assert "nothing to do" in broken.detail or "nothing" not in code


def test_a_program_that_is_missing_has_failed() -> None:
    done = run(Tool("none", ("no-such-program",), (), guest=1), {})
    assert "no-such-program" in done.of(Outcome.FAILED)[0].detail


def test_what_is_not_there_yet_must_fail() -> None:
    assert outcomes(played(GOOD + BAD, ("bad",))) == {"good": Outcome.PASSED, "bad": Outcome.NOT_YET}
    assert outcomes(played(GOOD + BAD, ("good", "bad"))) == {"good": Outcome.FAILED, "bad": Outcome.NOT_YET}
    assert outcomes(played(GOOD, ("gone",))) == {"good": Outcome.PASSED, "gone": Outcome.FAILED}


def test_the_table_counts_and_explains() -> None:
    shown = report.text([played(GOOD + BAD), played(GOOD + BAD, ("bad",))], 1.0)
    assert "FAILED   a tool: bad\n         why" in shown
    assert "note     a tool: good: why" in shown
    assert "not yet  a tool: bad" in shown
    assert re.search(r"^all +4 +2 +1 +1\.0$", shown, re.MULTILINE)
    assert shown.endswith("\n2 passed, 1 failed\n")


def test_what_is_excused_is_of_a_tool_that_there_is() -> None:
    assert set(NOT_YET) <= {tool.name for tool in TOOLS}


def test_nodes_packages_are_pinned_by_version_and_checksum_and_not_by_address() -> None:
    manifest: dict[str, Any] = json.loads((NODE / "package.json").read_text(encoding="utf-8"))
    lock: dict[str, Any] = json.loads((NODE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert lock["packages"][""]["dependencies"] == manifest["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in manifest["dependencies"].values())
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
    for tool in TOOLS:
        if tool.command[0] == "node":
            assert set(tool.packages) <= set(manifest["dependencies"])
