"""What schemathesis is told about us: dates that one could book, and what every refusal of ours must say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from bff.errors import EdgeCode

# Days from today; nights that lie behind or too far ahead are refused, and are among them.
_BEHIND = 3
_AHEAD = 400

_TODAY = datetime.now(UTC).date()

schemathesis.graphql.scalar(
    "Date", st.integers(-_BEHIND, _AHEAD).map(lambda days: nodes.String(str(_TODAY + timedelta(days=days))))
)


def every_error_has_a_code(_: object, response: Any, __: object) -> None:
    for error in response.json().get("errors", ()):
        code = error["extensions"]["code"]
        assert code in set(EdgeCode) - {EdgeCode.INTERNAL_SERVER_ERROR}, code
        assert error["message"]
        assert error["extensions"]["requestId"]


schemathesis.check(every_error_has_a_code)
