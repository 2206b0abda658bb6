"""Runs them all, or one (`--only NAME`), against a product of their own, and shows what they found."""

import argparse
import os
import sys
import time
from datetime import UTC, datetime, timedelta

from bff.identity.tokens import Tokens
from tests.conformance import report
from tests.conformance.runs import Outcome, Run, run
from tests.conformance.tools import NOT_YET, TOOLS, Tool
from tests.servers import ProcessFailed
from tests.servers.scratch import scratch_directory
from tests.system.installation import Installation
from workers.setting_checks import DEVELOPMENT_KEY

# The nights of a tool: none of them is wanted by another.
_AHEAD = timedelta(days=30)
_NIGHTS = timedelta(days=28)
# A tool is a guest in a hurry.
_NO_LIMITS = {f"HOMESTAY_{limit}": "0" for limit in ("CREATES_PER_MINUTE", "MAX_UNPAID_ORDERS", "VALUES_PER_MINUTE")}

_STARTS = 3


def main() -> int:
    """Runs what was asked for; not 0 where anything failed."""
    asked = _arguments()
    tools = [tool for tool in TOOLS if asked.only in {None, tool.name}]
    started = time.monotonic()
    with _served() as product:
        runs = [_told(run(tool, _environment(product, tool), NOT_YET.get(tool.name, ()))) for tool in tools]
    sys.stdout.write("\n" + report.text(runs, time.monotonic() - started))
    return int(report.failed(runs))


def _served() -> Installation:
    """The product, up; on other ports where somebody else has taken one in the meantime."""
    for attempt in range(1, _STARTS + 1):
        product = Installation(scratch_directory("conformance"), **_NO_LIMITS)
        try:
            product.start("run")
        except ProcessFailed:
            if attempt == _STARTS:
                raise
        else:
            break
    return product


def _environment(product: Installation, tool: Tool) -> dict[str, str]:
    first_night = datetime.now(UTC).date() + _AHEAD + TOOLS.index(tool) * _NIGHTS
    return {
        **os.environ,
        "NO_PROXY": "127.0.0.1",
        "CONFORMANCE_ENDPOINT": f"http://127.0.0.1:{product.port}/graphql",
        "CONFORMANCE_ORDER_SERVICE": f"127.0.0.1:{product.order_rpc_port}",
        "CONFORMANCE_TOKEN": Tokens(DEVELOPMENT_KEY).sign(tool.guest, timedelta(hours=1)),
        "CONFORMANCE_FIRST_NIGHT": str(first_night),
    }


def _told(done: Run) -> Run:
    failed = len(done.of(Outcome.FAILED))
    sys.stdout.write(f"{done.tool.name}: {f'{failed} FAILED' if failed else 'ok'}\n")
    sys.stdout.flush()
    return done


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--only", choices=[tool.name for tool in TOOLS], metavar="NAME", help="run one tool")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
