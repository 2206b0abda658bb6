"""Objects that come as lines of texts, straight from a database: a function each, from a line to what it becomes.

What a field becomes is said beside its resolver, by `facts.WRITTEN`, where it does not follow from the field's type.
What is wrong with a text raises; then the objects are made after all, and graphql-core looks at them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    get_nullable_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

from bff.execution import facts
from bff.execution.source import Source

# Sets of columns for which a selection has a function: a page is read with those that are selected.
MAX_SETS: Final = 4
MAX_DEPTH: Final = 5


class Lines:
    """Objects in a list, each of which is a line until somebody wants it.

    Args:
        kind: the objects' class.
        columns: what a line's texts are.
        separator: what stands between them.
        lines: of each object a tuple, the last of which is its texts.
        objects: makes them.
    """

    __slots__ = ("_objects", "columns", "kind", "lines", "separator")

    def __init__(
        self,
        kind: type,
        columns: tuple[str, ...],
        separator: str,
        lines: Sequence[Sequence[Any]],
        objects: Callable[[], Iterable[object]],
    ) -> None:
        self.kind = kind
        self.columns = columns
        self.separator = separator
        self.lines = lines
        self._objects = objects

    def __iter__(self) -> Iterator[object]:
        return iter(self._objects())

    def __len__(self) -> int:
        return len(self.lines)


class NoLines(Exception):
    """Something in a selection can't be had of a line."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that is written as one value.

    Attributes:
        columns: whose texts it is made of.
        write: makes it, or has it; None where it is the text.
        is_int: whether it is a number, of 32 bits at most.
        nullable: whether no text is no value.
    """

    columns: tuple[str, ...]
    write: facts.Write | None = None
    is_int: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A field that is loaded, by what is made of texts as a leaf is."""

    columns: tuple[str, ...]
    write: facts.Write | None


@dataclass(frozen=True, slots=True)
class Object:
    """A field that is an object.

    Attributes:
        fields: by their names in the answer; of `__typename` the name.
        names: the names that its fields have for columns, and the columns.
    """

    fields: Mapping[str, "Leaf | Key | Object | str"]
    names: Mapping[str, str]


class LineFunctions:
    """The functions of one selection, for each set of columns that its objects come with.

    Args:
        kind: the objects' class.
        selected: what is selected of them.
        loading: as in `of`.
    """

    def __init__(self, kind: type, selected: Object, *, loading: bool = False) -> None:
        self._kind = kind
        self._loading = loading
        self._selected = selected
        self._known: dict[tuple[str, ...], Callable[[Any], Any]] = {}

    @classmethod
    def of(
        cls, executor: Executor[Any], item_type: GraphQLOutputType, fields: FieldDetailsList, *, loading: bool = False
    ) -> "LineFunctions":
        """Those of a list's items.

        Args:
            executor: knows the document and its variables.
            item_type: of the list.
            fields: the field that has the list, as often as it is selected.
            loading: whether something of them may have to be loaded: then each item is a tuple of what it becomes and
                of the keys, in the order in which they are selected.

        Raises:
            NoLines: they have none.
        """
        type_ = get_nullable_type(item_type)
        kind = facts.class_of(type_) if isinstance(type_, GraphQLObjectType) else None
        if kind is None or not isinstance(type_, GraphQLObjectType):
            raise NoLines
        return cls(kind, Object(_fields(executor, type_, fields, 0, loading=loading), {}), loading=loading)

    def completed(self, lines: Lines) -> list[Any]:
        """What the objects become.

        Raises:
            Exception: whatever it is, something is wrong with one of them.
        """
        function = self._known.get(lines.columns)
        if function is None:
            if lines.kind is not self._kind:
                raise NoLines
            if len(self._known) >= MAX_SETS:
                self._known.clear()
            function = self._known[lines.columns] = _Writer().function_of(
                self._selected, lines.columns, lines.separator, loading=self._loading
            )
        made: list[Any] = function(lines.lines)
        return made


def _fields(
    executor: Executor[Any], type_: GraphQLObjectType, selected: FieldDetailsList, depth: int, *, loading: bool
) -> dict[str, Leaf | Key | Object | str]:
    collected = executor.collect_subfields(type_, selected)
    if collected.new_defer_usages or depth > MAX_DEPTH:
        raise NoLines
    found: dict[str, Leaf | Key | Object | str] = {}
    for key, each in collected.grouped_field_set.items():
        node = each[0].node
        if node.name.value == "__typename":
            found[key] = type_.name
            continue
        field = type_.fields.get(node.name.value)
        if field is None or node.arguments:
            raise NoLines
        written = facts.written(field)
        inner = get_nullable_type(field.type)
        if loading and (loaded := facts.loaded(field)) is not None:
            found[key] = Key(loaded.written.columns, loaded.written.write)
            continue
        if written is None:
            raise NoLines
        if isinstance(inner, GraphQLObjectType):
            if not isinstance(written, facts.Passed):
                raise NoLines
            found[key] = Object(_fields(executor, inner, each, depth + 1, loading=loading), written.names)
        elif isinstance(written, facts.Written):
            found[key] = _leaf(field.type, written)
        else:
            raise NoLines
    return found


def _leaf(type_: GraphQLOutputType, written: facts.Written) -> Leaf:
    if written.write is not None or written.nullable:
        return Leaf(written.columns, written.write, nullable=written.nullable)
    nullable = not is_non_null_type(type_)
    match get_nullable_type(type_):
        case GraphQLEnumType() as enum:
            return Leaf(written.columns, _numbers(enum), nullable=nullable)
        case inner if inner is GraphQLInt and not nullable:
            return Leaf(written.columns, int, is_int=True)
        case inner if inner is GraphQLBoolean:
            return Leaf(written.columns, _BOOLEANS, nullable=nullable)
        case inner if (inner is GraphQLString or inner is GraphQLID) and not nullable:
            return Leaf(written.columns)
    raise NoLines


_BOOLEANS: Final = {"0": False, "1": True}


def _numbers(type_: GraphQLEnumType) -> dict[str, str]:
    """The names of an enum's members by their numbers, as a database writes them.

    Raises:
        NoLines: it is none of numbers.
    """
    names = {}
    for member in getattr(type_, "wrapped_cls", ()):
        if not isinstance(member.value, int):
            raise NoLines
        try:
            names[str(member.value)] = type_.coerce_output_value(member)
        except ValueError:
            continue  # not one of those that are shown
    return names


class _Writer(Source):
    """Writes the function of a selection."""

    def __init__(self) -> None:
        super().__init__({})
        self._keys: list[str] = []

    def function_of(
        self, selected: Object, columns: tuple[str, ...], separator: str, *, loading: bool
    ) -> Callable[[Any], Any]:
        """From lines of these columns to what they become."""
        known = {column: f"t_{number}" for number, column in enumerate(columns)}
        with self.function("lines") as lines:
            self.line("made = []")
            with self.block("for line in v:"):
                self.line(f"{', '.join(known.values())}, = line[-1].split({separator!r})")
                made = self._object(selected, known)
                item = f"({', '.join((made, *self._keys))},)" if loading else made
                self.line(f"made.append({item})")
            self.line("return made")
        return self.compile(lines)

    def _object(self, selected: Object, known: Mapping[str, str]) -> str:
        inside = {name: known[column] for name, column in selected.names.items()} or known
        pairs = [f"{key!r}: {self._field(field, inside)}" for key, field in selected.fields.items()]
        return "{" + ", ".join(pairs) + "}"

    def _field(self, field: Leaf | Key | Object | str, known: Mapping[str, str]) -> str:
        if isinstance(field, str):
            return repr(field)
        if isinstance(field, Object):
            return self._object(field, known)
        texts = [known[column] for column in field.columns]
        if isinstance(field, Key):
            self._keys.append(texts[0] if field.write is None else self._made(field.write, ", ".join(texts)))
            return "None"
        value = texts[0] if field.write is None else self._made(field.write, ", ".join(texts))
        if field.is_int:
            number = self._new("n")
            self.line(f"{number} = {value}")
            self.line(f"if not {GRAPHQL_MIN_INT} <= {number} <= {GRAPHQL_MAX_INT}: raise ValueError")
            return number
        return f"({value} if {texts[0]} else None)" if field.nullable else value

    def _made(self, write: facts.Write, texts: str) -> str:
        known = self._constant(write)
        return f"{known}[{texts}]" if isinstance(write, Mapping) else f"{known}({texts})"
