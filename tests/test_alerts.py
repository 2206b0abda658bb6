"""Alert rules and the dashboard speak of what processes tell, and the operating guide of each alert."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from promql_parser import Matchers, VectorSelector

from bff import metrics as guests
from domain import figures as calls
from tests.servers import free_port
from tests.system.installation import Installation
from workers import figures as messages
from workers import queue_figures
from workers.metrics import HELP

ROOT: Final = Path(__file__).parent.parent
RULES: Final = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
ALERTS: Final[list[dict[str, Any]]] = [rule for group in RULES["groups"] for rule in group["rules"]]
BOARD: Final = json.loads((ROOT / "deploy" / "grafana" / "homestay.json").read_text(encoding="utf-8"))
GUIDE: Final = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
# Of Prometheus itself, and of its client in every process.
NOT_OURS: Final = {"up", "process_resident_memory_bytes"}
# What Prometheus adds to every series.
ADDED: Final = {"job", "instance"}


def expressions() -> dict[str, str]:
    found = {rule["alert"]: rule["expr"] for rule in ALERTS}
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    return found


def exported() -> dict[str, set[str]]:
    """Every series that our processes tell, with its labels."""
    found = {name: set[str]() for name in HELP} | {name: set(each) for name, each in queue_figures.LABELS.items()}
    for module in (guests, calls, messages):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase) and not metric._labelvalues:
                (family,) = metric.describe()
                endings = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
                for ending in endings:
                    more = {"le"} if ending == "_bucket" else set()
                    found[family.name + ending] = {*metric._labelnames, *more}
    return found


EXPORTED: Final = exported()


def selectors(expression: Any) -> Iterator[VectorSelector]:
    """The series that an expression asks for."""
    if isinstance(expression, VectorSelector):
        yield expression
    for name in ("lhs", "rhs", "expr", "param", "vector_selector", "args"):
        inner = getattr(expression, name, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None:
                yield from selectors(one)


def labels_of(matchers: Matchers) -> set[str]:
    return {matcher.name for matcher in matchers.matchers}


@pytest.mark.parametrize("name", expressions())
def test_it_asks_for_what_there_is(name: str) -> None:
    asked = list(selectors(promql_parser.parse(expressions()[name])))
    assert asked
    for selector in asked:
        known = EXPORTED if selector.name not in NOT_OURS else {selector.name: set[str]()}
        assert selector.name in known, f"nobody tells {selector.name}"
        assert labels_of(selector.matchers) <= known[selector.name] | ADDED


@pytest.mark.parametrize("name", expressions())
def test_it_sorts_by_labels_that_there_are(name: str) -> None:
    expression = expressions()[name]
    known = set.union(
        ADDED, *(EXPORTED.get(str(one.name), set()) for one in selectors(promql_parser.parse(expression)))
    )
    for said in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", said)) <= known


def test_a_running_installation_tells_all_of_it(tmp_path: Path) -> None:
    watched = free_port()
    with Installation(tmp_path, HOMESTAY_WATCH_PORT=str(watched)) as installation:
        installation.start("run")
        installation.place(installation.token())
        told = [httpx.get(f"http://127.0.0.1:{port}/metrics").text for port in (installation.port, watched)]
    for text in told:
        families = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
        names = families | {f"{family}{ending}" for family in families for ending in ("_bucket", "_count", "_sum")}
        assert set(EXPORTED) - names == set()
        assert names >= NOT_OURS - {"up"}
        assert 'homestay_upstream_seconds_count{method="homestayDetail",outcome="ok",service="pb.travel"} 1.0' in text


def test_each_alert_says_how_bad_it_is_and_what_it_is() -> None:
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]


def test_the_guide_has_a_chapter_for_each_alert_and_no_other() -> None:
    _, *chapters = re.split(r"^### ", GUIDE.partition("## Alerts")[2], flags=re.MULTILINE)
    assert [chapter.partition("\n")[0] for chapter in chapters] == [rule["alert"] for rule in ALERTS]
    for chapter in chapters:
        assert re.findall(r"^\*\*(\w+)\.\*\*", chapter, re.MULTILINE) == ["Meaning", "Check", "Cure"], chapter


FAILED: Final = "homestay_operations_failed_total"
BEGUN: Final = "homestay_operation_seconds_count"


@pytest.mark.parametrize(
    ("unavailable", "overloaded", "begun", "fires"),
    [
        # A list whose hundred homestays can't be asked is one operation of many.
        (1, 0, 1900, False),
        (90, 0, 1900, False),
        (100, 0, 1900, True),
        # Whoever gets 504 began, whoever gets 503 did not.
        (1900, 0, 1900, True),
        (0, 1900, 0, True),
        (0, 90, 1900, False),
        (0, 110, 1900, True),
        (0, 0, 0, False),
    ],
)
def test_guests_turned_away_are_a_part_of_all_who_asked(
    unavailable: int,
    overloaded: int,
    begun: int,
    fires: bool,  # noqa: FBT001 -- a row of a table
) -> None:
    failed = {"UPSTREAM_UNAVAILABLE": unavailable, "OVERLOADED": overloaded}

    def rate(found: re.Match[str]) -> str:
        name, matcher, codes = found.groups()
        if name == BEGUN:
            return str(begun)
        assert (name, matcher) in {(FAILED, "code=~"), (FAILED, "code=")}
        return str(sum(failed[code] for code in codes.split("|")))

    (rule,) = [rule for rule in ALERTS if rule["alert"] == "GuestsTurnedAway"]
    sums = re.sub(r'sum\(rate\((\w+)(?:\{(code=~?)"([^"]*)"\})?\[5m\]\)\)', rate, rule["expr"])
    assert re.fullmatch(r"[\d.()+*> ]+", sums)
    assert eval(sums) is fires  # noqa: S307 -- numbers


def test_the_dashboard_has_no_source_of_its_own_and_no_panel_over_another() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]}
    assert len(places) == len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert {panel["datasource"]["uid"] for panel in BOARD["panels"]} == {"${source}"}
    for panel in BOARD["panels"]:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
