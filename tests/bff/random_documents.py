"""Operations over our schema, put together at random: aliases, fragments, directives, variables, one within the other.

A field has one other name at most, and always the same, so that fields of one name are of one field. One document in a
hundred is not valid all the same (a field of this name has other types elsewhere); executing it makes sense even so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
)

from tests.bff.stand_in import sn

Composite: TypeAlias = GraphQLObjectType | GraphQLInterfaceType

# Fields of one selection, and selections within each other.
WIDTH: Final = 6
DEPTH: Final = 5
ROOTS: Final = 2

SNS: Final = (sn(1), sn(2), sn(3), "none of ours")
HOMESTAY_IDS: Final = ("1", "2", "9", "nonsense", "SG9tZXN0YXk6MQ==")
NODE_IDS: Final = ("SG9tZXN0YXk6MQ==", "SG9tZXN0YXk6OQ==", "nonsense")

_DATES: Final = 'liveStartDate: "2026-06-01", liveEndDate: "2026-06-03", livePeopleNum: 2'
_CONDITIONS: Final = (
    "@include(if: true)",
    "@skip(if: false)",
    "@include(if: $yes)",
    "@skip(if: $no)",
    "@skip(if: $yes)",
)


# What may be given instead of a value that fits.
_ODD: Final[tuple[Any, ...]] = (
    None, 0, 7, -1, 2**31, 2**40, 2**70, 1.0, 1.5, True, "", "a text", "7", "2026-06-01", "2026-02-30",
    "WAIT_PAY", "NO_STATE", [], ["WAIT_PAY"], [None], ["a", 1], {}, {"to": None}, {"surprise": 1},
)  # fmt: skip
# What fits a field of an input.
_STAY: Final[dict[str, tuple[Any, ...]]] = {
    "homestayId": ("1", 1, 9, "nonsense"),
    "liveStartDate": ("2026-06-01",),
    "liveEndDate": ("2026-06-03",),
    "livePeopleNum": (2, 2, 3.0, 2**31),
    "needFood": (True, False),
    "remark": ("", "quiet, please"),
    "expectedTotalMinor": (71800, "71800", None),
    "idempotencyKey": ("a key", None),
}
_FILTER: Final[dict[str, tuple[Any, ...]]] = {
    "tradeState": (["WAIT_PAY", "WAIT_USE"], [], "USED", None, ["CANCELLED"]),
    "liveStartDate": ({"from": "2026-06-01"}, {"from": None, "to": "2026-06-02"}, {}, None),
}
_NEEDED: Final = ("homestayId", "liveStartDate", "liveEndDate", "livePeopleNum")


def _input(random: Random, fields: dict[str, tuple[Any, ...]]) -> Any:
    """An input, which fits in most cases."""
    if random.randrange(20) == 0:
        return random.choice(_ODD)
    found = {name: random.choice(values) for name, values in fields.items() if name in _NEEDED or random.random() < 0.5}
    if random.randrange(5) == 0:
        found[random.choice([*fields, "surprise"])] = random.choice(_ODD)
    if random.randrange(12) == 0:
        found.pop(random.choice([*fields]), None)
    return found


@dataclass
class Operation:
    """What is sent."""

    text: str
    variables: dict[str, Any]

    def given(self, random: Random) -> dict[str, Any]:
        """Values of the variables: those that fit, in most cases."""
        given = dict(self.variables)
        for name in self.variables:
            chance = random.randrange(24)
            if chance == 0:
                given[name] = random.choice(_ODD)
            elif chance == 1:
                del given[name]
        return given


@dataclass
class _Document:
    """What is being put together."""

    random: Random
    schema: GraphQLSchema
    order_ids: tuple[str, ...]
    variables: dict[str, tuple[str, Any]] = field(default_factory=dict)
    fragments: list[tuple[GraphQLNamedType, str]] = field(default_factory=list)

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def variable(self, name: str, type_: str, value: Any) -> str:
        name = f"{name}{len(self.variables)}"
        self.variables[name] = (type_, value)
        return f"${name}"

    def condition(self) -> str:
        if not self.chance(8):
            return ""
        chosen = str(self.pick(_CONDITIONS))
        for name in ("yes", "no"):
            if f"${name}" in chosen:
                self.variables.setdefault(name, ("Boolean!", self.chance(2)))
        return chosen

    def value(self, name: str, type_: str, value: Any) -> str:
        """A value, said where it is wanted or by a variable."""
        if self.chance(3):
            default = f" = {self.said(value)}" if self.chance(4) else ""
            return self.variable(name, type_ + default, value)
        return self.said(value)

    @staticmethod
    def said(value: Any) -> str:
        """A value as a document says it."""
        return str(value) if isinstance(value, int) else f'"{value}"'

    def selections(self, type_: GraphQLNamedType, depth: int) -> str:
        """What is wanted of a value, in braces."""
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        return "{ " + " ".join(self.pieces(type_, depth)) + " }"

    def pieces(self, type_: Composite, depth: int) -> list[str]:
        names = [
            name
            for name, each in type_.fields.items()
            if depth < DEPTH or not is_composite_type(get_named_type(each.type))
        ]
        pieces = []
        for _ in range(self.random.randint(1, WIDTH - depth)):
            kind = self.random.randint(1, 12)
            if kind == 1:
                pieces.append(f"{self.pick(('', 'kind: '))}__typename {self.condition()}")
            elif kind == 2 and depth < DEPTH:
                pieces.append(self.inline(type_, depth))
            elif kind == 3 and depth < DEPTH:
                pieces.append(self.spread(type_, depth))
            elif names:
                pieces.append(self.field(type_, str(self.pick(names)), depth))
        return pieces or ["__typename"]

    def field(self, type_: Composite, name: str, depth: int) -> str:
        inner = get_named_type(type_.fields[name].type)
        alias = f"{name}Too: " if self.chance(6) else ""
        below = self.selections(inner, depth + 1) if is_composite_type(inner) else ""
        return f"{alias}{name} {self.condition()} {below}"

    def narrowed(self, type_: Composite) -> Composite:
        """The type, or one that a value of it can be of too."""
        if isinstance(type_, GraphQLInterfaceType):
            return self.pick((type_, *self.schema.get_possible_types(type_)))  # type: ignore[no-any-return]
        return self.pick((type_, *type_.interfaces))  # type: ignore[no-any-return]

    def inline(self, type_: Composite, depth: int) -> str:
        wanted = self.narrowed(type_)
        on = f"on {wanted.name}" if wanted is not type_ or self.chance(2) else ""
        return f"... {on} {self.condition()} {self.selections(wanted, depth + 1)}"

    def spread(self, type_: Composite, depth: int) -> str:
        fitting = [n for n, (on, _) in enumerate(self.fragments) if on is type_]
        if fitting and self.chance(2):
            return f"...F{self.pick(fitting)} {self.condition()}"
        wanted = self.narrowed(type_)
        body = self.selections(wanted, depth + 1)
        self.fragments.append((wanted, body))
        return f"...F{len(self.fragments) - 1} {self.condition()}"

    def query(self, number: int) -> str:
        name, arguments = self.pick(
            (
                ("userHomestayOrderDetail", lambda: f"sn: {self.value('sn', 'ID!', self.pick(SNS))}"),
                ("userHomestayOrderDetail", lambda: f"sn: {self.value('sn', 'ID!', SNS[0])}"),
                ("userHomestayOrderList", lambda: f"first: {self.value('first', 'Int', self.pick((0, 1, 3, 20)))}"),
                ("userHomestayOrderList", lambda: f"first: {self.value('first', 'Int', 3)}"),
                ("userHomestayOrderList", self.filter),
                ("homestayQuote", lambda: f"homestayId: 1, {self.stay()}"),
                ("homestay", lambda: f"id: {self.value('id', 'ID!', self.pick(HOMESTAY_IDS))}"),
                ("homestayQuote", lambda: f'homestayId: "{self.pick(HOMESTAY_IDS)}", {_DATES}'),
                ("homestayCalendar", lambda: 'homestayId: "1", from: "2026-06-01", to: "2026-06-04"'),
                ("node", lambda: f"id: {self.value('id', 'ID!', self.pick(NODE_IDS + self.order_ids))}"),
                ("nodes", lambda: f"ids: {self.ids()}"),
                ("__typename", None),
                ("__type", lambda: 'name: "Money"'),
            )
        )
        return self.root(self.schema.query_type, name, arguments, number)

    def mutation(self, number: int) -> str:
        name, arguments = self.pick(
            (
                ("createHomestayOrder", lambda: f"input: {{ homestayId: 1, {_DATES} }}"),
                ("createHomestayOrder", lambda: f"input: {{ homestayId: 1, {self.stay()} }}"),
                ("createHomestayOrder", self.stay_by_variable),
                ("createHomestayOrder", self.stay_by_variable),
                ("cancelHomestayOrder", lambda: f"sn: {self.value('sn', 'ID!', self.pick(SNS[:3]))} {self.key()}"),
                ("payHomestayOrder", lambda: f"sn: {self.value('sn', 'ID!', self.pick(SNS[:3]))} {self.key()}"),
            )
        )
        return self.root(self.schema.mutation_type, name, arguments, number)

    def stay_by_variable(self) -> str:
        default = ' = { homestayId: "2", ' + _DATES + " }" if self.chance(8) else ""
        kind = f"CreateHomestayOrderInput!{default}"
        return f"input: {self.variable('input', kind, _input(self.random, _STAY))}"

    def stay(self) -> str:
        """Nights and party, some by variables."""
        return (
            f"liveStartDate: {self.value('start', 'Date!', '2026-06-01')}, "
            f"liveEndDate: {self.value('end', 'Date!', '2026-06-03')}, "
            f"livePeopleNum: {self.value('people', 'Int!', 2)}"
        )

    def key(self) -> str:
        return f"idempotencyKey: {self.value('key', 'String', 'a key')}" if self.chance(2) else ""

    def filter(self) -> str:
        if self.chance(4):
            return 'filter: { tradeState: [USED, WAIT_PAY], liveStartDate: { from: "2026-06-01" } }'
        if self.chance(4):
            date = self.variable("from", "Date", "2026-06-01")
            return f"filter: {{ liveStartDate: {{ from: {date} }} }}"
        default = " = { tradeState: USED }" if self.chance(4) else ""
        return f"filter: {self.variable('filter', 'HomestayOrderFilter' + default, _input(self.random, _FILTER))}"

    def ids(self) -> str:
        ids = [self.pick(NODE_IDS + self.order_ids) for _ in range(self.random.randint(0, 4))]
        if self.chance(2):
            return self.variable("ids", "[ID!]!", ids)
        return "[" + ", ".join(f'"{each}"' for each in ids) + "]"

    def root(self, type_: GraphQLObjectType | None, name: str, arguments: Any, number: int) -> str:
        if arguments is None:
            return name
        if name == "__type":
            return f"r{number}: __type({arguments()}) {{ kind name fields {{ name }} }}"
        assert type_ is not None
        inner = get_named_type(type_.fields[name].type)
        return f"r{number}: {name}({arguments()}) {self.condition()} {self.selections(inner, 1)}"


def operation_of(random: Random, schema: GraphQLSchema, order_ids: tuple[str, ...]) -> Operation:
    """An operation, with the fragments and variables that it needs, and values for these."""
    document = _Document(random, schema, order_ids)
    writes = document.chance(4)
    count = random.choice((1, ROOTS))
    roots = [document.mutation(number) if writes else document.query(number) for number in range(count)]
    declared = ", ".join(f"${name}: {type_}" for name, (type_, _) in document.variables.items())
    text = f"{'mutation' if writes else 'query'} {f'({declared})' if declared else ''} {{ {' '.join(roots)} }}"
    for number, (on, body) in enumerate(document.fragments):
        text += f" fragment F{number} on {on.name} {body}"
    return Operation(text, {name: value for name, (_, value) in document.variables.items()})
