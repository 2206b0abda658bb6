"""Schemathesis: operations made at random from the schema, each answered without a failure of ours."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_HERE: Final = Path(__file__).parent
_SEED: Final = "20261126"
# Operations of each kind, valid or spoilt.
_EXAMPLES: Final = "40"
# Seconds of one answer: above what a busy machine takes, and what the product itself allows its database.
_DEADLINE: Final = "5"


def main() -> int:
    """Runs it and tells of each kind of operation."""
    with tempfile.TemporaryDirectory() as home:
        report = Path(home) / "report.json"
        command = [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", _HERE / "schemathesis.toml"),
            *("run", os.environ["CONFORMANCE_ENDPOINT"], "--no-color"),
            *("--header", f"Authorization: Bearer {os.environ['CONFORMANCE_TOKEN']}"),
            # A rule of ours that no schema can say makes a valid operation a refused one.
            *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
            *("--seed", _SEED, "--max-examples", _EXAMPLES, "--generation-database", "none", "--continue-on-failure"),
            *("--request-timeout", _DEADLINE, "--max-response-time", _DEADLINE),
            *("--report", "json", "--report-json-path", report),
        ]
        hooks = {"SCHEMATHESIS_HOOKS": "tests.conformance.schemathesis_hooks", "PYTHONPATH": str(_HERE.parents[1])}
        words = [str(word) for word in command]
        # It leaves notes where it is started.
        ran = subprocess.run(  # noqa: S603 -- our own words
            words, env=os.environ | hooks, cwd=home, capture_output=True, text=True, check=False
        )
        if not report.exists():
            sys.stderr.write(ran.stdout + ran.stderr)
            return 2
        for check in _checks(json.loads(report.read_text(encoding="utf-8")), ran.returncode, _told(ran.stdout)):
            sys.stdout.write(json.dumps(check) + "\n")
    return 0


def _told(output: str) -> dict[str, str]:
    """What it says of each kind of operation that failed: the answer, and how to get it again."""
    names_and_texts = re.split(r"^_+ (\S+) _+$|^=+ .* =+$", output, flags=re.MULTILINE)[1:]
    return {name: text.strip() for name, text in zip(names_and_texts[::2], names_and_texts[1::2], strict=False) if name}


def _checks(report: dict[str, Any], exit_code: int, told: dict[str, str]) -> Iterator[dict[str, Any]]:
    found: dict[str, list[str]] = {operation: [] for operation in sorted(report["valid_rates"])}
    for problem in [*report["failures"], *report["errors"]]:
        for operation in problem.get("operations") or ["the run"]:
            found.setdefault(operation, []).append(str(problem.get("title") or problem))
    for operation, problems in found.items():
        detail = "\n".join([*problems, told.get(operation, "")]) if problems else ""
        yield {"check": operation, "passed": not problems, "detail": detail}
    made, all_tested = (
        report["test_cases"]["generated"],
        report["operations"]["total"] == report["operations"]["tested"],
    )
    yield {
        "check": "every operation of the schema was tried",
        "passed": all_tested and report["complete"] and (exit_code == 0 or any(found.values())),
        "detail": f"{made} operations sent, seed {_SEED}",
    }


if __name__ == "__main__":
    sys.exit(main())
