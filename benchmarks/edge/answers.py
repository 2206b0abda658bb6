"""Whether all contenders do the same: an answer that is faster for being another one proves nothing."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import httpx

from benchmarks.edge.contenders import Running
from benchmarks.edge.load import Load
from bff.identity.tokens import Tokens

SAMPLES: Final = 40
TRIES: Final = 3
# Characters of two answers around the first place at which they differ.
SHOWN: Final = 200
# Drawn, or of the moment; only their form can be the same.
_DRAWN: Final = {"sn": "HSO", "payBefore": "20"}


class Differ(SystemExit):
    """Two contenders answer differently, or one does not ask who is asking."""


def check(running: Sequence[Running], load: Load, operation: str) -> None:
    """Compares what all answer to some requests of an operation.

    Raises:
        Differ: they are not the same, or not what was asked for.
    """
    for name in ("detail", "list", "create") if operation == "mix" else (operation,):
        if name == "create":
            # The same nights for all: of the contenders only ours knows that they are taken by then.
            ((token, body),) = load.sample("create", 1)
            told = [_created(each, token, body) for each in running]
            _compare(running, told, name)
            continue
        for token, body in load.sample(name, SAMPLES):
            told = [_told(each, token, body) for each in running]
            _compare(running, told, name)
            _check_whole(told[0], name)
    _check_turned_away(running, load, "list" if operation == "mix" else operation)


def _check_turned_away(running: Sequence[Running], load: Load, name: str) -> None:
    ((_, body),) = load.sample(name, 1)
    forged = Tokens("a key that nobody has, of thirty-two bytes").sign(1, timedelta(hours=1))
    for each in running:
        answer = each.ask(forged, body)
        # An answer to nobody need not be JSON.
        if answer.is_success and any((_json(each, answer).get("data") or {}).values()):
            raise Differ(f"{each.contender.title} answers whoever can't say who they are")


def _told(each: Running, token: str, body: str) -> Any:  # noqa: ANN401 -- JSON
    # All give up on an upstream after a second, which on a busy machine the first call may take.
    for _ in range(TRIES):
        answer = each.ask(token, body)
        told = _json(each, answer)
        if "errors" not in told:
            break
    return told


def _json(each: Running, answer: httpx.Response) -> Any:  # noqa: ANN401
    try:
        return answer.json()
    except ValueError:
        raise Differ(f"{each.contender.title} answers {answer.status_code} {answer.text[:SHOWN]!r}") from None


def _created(each: Running, token: str, body: str) -> Any:  # noqa: ANN401 -- JSON
    told = _json(each, each.ask(token, body))
    payload = (told.get("data") or {}).get("createHomestayOrder") or {}
    if not payload.get("order") or payload.get("userErrors"):
        raise Differ(f"{each.contender.title} places no order: {told}")
    order = payload["order"]
    for name, start in _DRAWN.items():
        if not str(order[name]).startswith(start):
            raise Differ(f"{each.contender.title} gives an order the {name} {order[name]!r}")
        order[name] = start
    return told


def _compare(running: Sequence[Running], told: Sequence[Any], name: str) -> None:
    for each, one in zip(running, told, strict=True):
        if one != told[0]:
            ours, theirs = (json.dumps(answer, sort_keys=True) for answer in (told[0], one))
            pairs = enumerate(zip(ours, theirs, strict=False))
            start = max(0, next((place for place, (this, that) in pairs if this != that), 0) - 40)
            raise Differ(
                f"{name}: {running[0].contender.title} and {each.contender.title} differ:\n"
                f"… {ours[start:][:SHOWN]}\n… {theirs[start:][:SHOWN]}"
            )


def _check_whole(told: Any, name: str) -> None:  # noqa: ANN401 -- JSON
    match name, told:
        case "detail", {"data": {"userHomestayOrderDetail": {"payment": {"sn": str()}}}} if "errors" not in told:
            return
        case "list", {"data": {"userHomestayOrderList": {"nodes": [_, *_] as nodes}}} if len(nodes) == 20:  # noqa: PLR2004
            return
        case "live", {"data": {"userHomestayOrderList": {"nodes": [{"homestay": {"title": str()}}, *_]}}}:
            return
    raise Differ(f"{name}: this is not what was asked for: {json.dumps(told)}")
