"""A guest's device: it sends operations over persistent connections, and tells what is sure of the answer."""

import re
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.chaos.ledger import PLANTED_PHONE, Ledger, Outcome

# Seconds: as long as the slowest answer that is promised.
_TIMEOUT: Final = httpx.Timeout(4.0, connect=1.0)
_LIMITS: Final = httpx.Limits(max_connections=64, max_keepalive_connections=64)
# What no error may hold: a trace, a guest's remark, a path of ours, SQL.
_LEAKS: Final = re.compile(rf"Traceback|{PLANTED_PHONE}|/site-packages/|\.py\b|(?i:\bselect\b.*\bfrom\b)")
_IN_PROGRESS: Final = "IDEMPOTENCY_IN_PROGRESS"

PLACE: Final = """
    mutation ($input: CreateHomestayOrderInput!) {
      createHomestayOrder(input: $input) {
        order { sn payBefore tradeState tradeCode orderTotalPrice { amountMinor } }
        userErrors { code }
      }
    }"""
PAY: Final = """
    mutation ($sn: ID!) {
      payHomestayOrder(sn: $sn) { payment { sn payTotal { amountMinor } } userErrors { code } }
    }"""
CANCEL: Final = """
    mutation ($sn: ID!) {
      cancelHomestayOrder(sn: $sn) { order { sn tradeState closeReason } userErrors { code } }
    }"""
DETAIL: Final = "query ($sn: ID!) { userHomestayOrderDetail(sn: $sn) { sn tradeState tradeCode } }"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the operation's one field, where the outcome is not unknown."""

    outcome: Outcome
    payload: dict[str, Any] | None = None


def device() -> httpx.AsyncClient:
    """A client with connections that stay; a proxy of the environment is nobody's business here."""
    return httpx.AsyncClient(timeout=_TIMEOUT, limits=_LIMITS, trust_env=False)


async def ask(
    http: httpx.AsyncClient, url: str, query: str, variables: dict[str, Any], *, token: str, ledger: Ledger
) -> Answer:
    """Sends one operation of one field."""
    try:
        response = await http.post(
            url, json={"query": query, "variables": variables}, headers={"Authorization": f"Bearer {token}"}
        )
        body: dict[str, Any] = response.json()
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return Answer(Outcome.UNREACHED)
    except (httpx.TransportError, ValueError):
        return Answer(Outcome.UNKNOWN)
    if "errors" in body:
        for error in body["errors"]:
            ledger.refusals[error["extensions"]["code"]] += 1
        if _LEAKS.search(response.text):
            ledger.leaks.append(response.text)
        return Answer(Outcome.UNKNOWN)
    (payload,) = body["data"].values()
    if payload is not None and payload.get("userErrors"):
        codes = {error["code"] for error in payload["userErrors"]}
        ledger.refusals.update(codes)
        # The first tap is still being worked on: what comes of it, this answer does not say.
        return Answer(Outcome.UNKNOWN if _IN_PROGRESS in codes else Outcome.REFUSED, payload)
    return Answer(Outcome.ACKNOWLEDGED, payload)
