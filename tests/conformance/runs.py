"""Runs one tool to its end and reads what it tells."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.conformance.tools import Tool
from tests.servers import Process, ProcessFailed

# Lines of a tool's own output that are kept where it broke off.
_TAIL = 15


class Outcome(Enum):
    PASSED = "passed"
    FAILED = "FAILED"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Check:
    """What a tool found out about one thing; `detail` is its remark, or says what was wrong."""

    name: str
    outcome: Outcome
    detail: str = ""


@dataclass(slots=True)
class Run:
    """A tool's run."""

    tool: Tool
    seconds: float = 0.0
    checks: list[Check] = field(default_factory=list)

    def of(self, outcome: Outcome) -> list[Check]:
        return [check for check in self.checks if check.outcome is outcome]


def run(tool: Tool, environment: Mapping[str, str], not_yet: Collection[str] = ()) -> Run:
    """Runs a tool. One that breaks off, hangs or checks nothing has failed, whatever it has told before.

    Args:
        tool: which.
        environment: all of its environment variables.
        not_yet: names of checks that must fail.
    """
    started = time.monotonic()
    done = Run(tool)
    process = Process(tool.command, env=environment)
    broken = ""
    try:
        with process.start():
            exit_code = process.wait(tool.deadline)
            broken = f"ended with exit code {exit_code}" if exit_code else ""
    except ProcessFailed:
        broken = f"did not end within {tool.deadline:g} s"
    except FileNotFoundError:
        broken = f"there is no program {tool.command[0]}"
    lines = process.output().splitlines()
    done.checks += [_read(line, not_yet) for line in lines if line.startswith('{"check"')]
    if not done.checks:
        broken = broken or "checked nothing"
    if broken:
        said = [line for line in lines if not line.startswith('{"check"')]
        done.checks.append(Check("the tool runs to its end", Outcome.FAILED, "\n".join([broken, *said[-_TAIL:]])))
    missing = set(not_yet) - {check.name for check in done.checks}
    done.checks += [Check(name, Outcome.FAILED, "was not made") for name in sorted(missing)]
    done.seconds = time.monotonic() - started
    return done


def _read(line: str, not_yet: Collection[str]) -> Check:
    told = json.loads(line)
    name, passed, detail = told["check"], told["passed"], told["detail"]
    if name in not_yet:
        if passed:
            return Check(name, Outcome.FAILED, "passes now: take it out of NOT_YET")
        return Check(name, Outcome.NOT_YET, detail)
    return Check(name, Outcome.PASSED if passed else Outcome.FAILED, detail)
