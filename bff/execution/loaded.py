"""Lists of whose objects something is loaded: it is asked for of all of them at once, and they are completed at once.

graphql-core has a task for each object, which waits by itself. Here what is plain in the objects is done first, as in
`bff.execution.waiting`; so a value that is not what was expected goes to graphql-core before anything was asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor
from graphql.pyutils import Path, gather_with_cancel

from bff.execution import facts
from bff.execution.lines import LineFunctions, Lines, NoLines
from bff.execution.places import MISS, Complete, Place
from bff.execution.plain import NotPlain, Writer, function_of


@dataclass(frozen=True, slots=True)
class Load:
    """A field of a list's items that is loaded.

    Attributes:
        within: the fields that lead from an item to the object that has it.
        place: the field.
        loaded: how it is loaded.
        function: from its value to what that becomes.
    """

    within: tuple[Place, ...]
    place: Place
    loaded: facts.Loaded
    function: Callable[[Any], Any]

    def path(self, list_path: Path, index: int) -> Path:
        """Where the field is of one of the items."""
        path = list_path.add_key(index, None)
        for place in (*self.within, self.place):
            path = path.add_key(place.key, place.type.name)
        return path

    def put(self, item: dict[str, Any], value: object) -> None:
        """Puts what its value has become into an item."""
        for place in self.within:
            item = item[place.key]
        item[self.place.key] = value


def loading_list_of(
    executor: Executor[Any], item_type: GraphQLOutputType, fields: FieldDetailsList, *, nullable: bool
) -> Complete | None:
    """How a list is completed, something of whose objects is loaded and all else plain; None where it is another one.

    Args:
        executor: knows the document and its variables.
        item_type: of the list.
        fields: the field that has the list, as often as it is selected.
        nullable: whether there may be none in its place.
    """
    writer = _ItemWriter(executor)
    try:
        with writer.function("item") as name:
            item = writer.value(item_type, fields, "v")
            writer.line(f"return {', '.join((item, *writer.keys))}")
    except NotPlain:
        return None
    if not writer.loads:
        return None
    try:
        lines = LineFunctions.of(executor, item_type, fields, loading=True)
    except NoLines:
        lines = None
    return _list(writer.compile(name), lines, writer.loads, nullable=nullable)


def has_loading_lines(executor: Executor[Any], item_type: GraphQLOutputType, fields: FieldDetailsList) -> bool:
    """Whether such a list is completed also where its objects are lines of texts."""
    try:
        LineFunctions.of(executor, item_type, fields, loading=True)
    except NoLines:
        return False
    return loading_list_of(executor, item_type, fields, nullable=False) is not None


def _list(
    function: Callable[[Any], Any], lines: LineFunctions | None, loads: Sequence[Load], *, nullable: bool
) -> Complete:
    def complete(executor: Executor[Any], value: object, path: Path, _info: GraphQLResolveInfo[Any]) -> object:
        kind = type(value)
        try:
            if kind is list or kind is tuple:
                items = [function(item) for item in value]  # type: ignore[attr-defined] # it is one of these
            elif isinstance(value, Lines) and lines is not None:
                items = lines.completed(value)
            else:
                return None if value is None and nullable else MISS
        except Exception:  # noqa: BLE001 -- whatever it was, graphql-core comes upon it too, and tells of it
            return MISS
        return _filled(executor, items, loads, path) if items else []

    return complete


async def _filled(
    executor: Executor[Any], items: list[tuple[Any, ...]], loads: Sequence[Load], path: Path
) -> list[dict[str, Any]]:
    """The items, when all is there that had to be loaded."""
    asked = [
        (index, load, _begun(executor, load, key))
        for index, item in enumerate(items)
        for load, key in zip(loads, item[1:], strict=True)
        if key is not None
    ]
    later: list[tuple[int, Load, Awaitable[Any]]] = []
    try:
        for index, load, future in asked:
            if not future.done():
                # Mostly all arrive with the first. Others may want it, too: it is not to be cancelled by who leaves.
                await asyncio.wait((future,))
            completed = _completed(executor, load, future, path, index)
            if executor.is_awaitable(completed):
                later.append((index, load, completed))
            else:
                load.put(items[index][0], completed)
    except BaseException:
        for _, _, future in asked:
            future.add_done_callback(_looked_at)
        if later:
            executor.settle_in_background([each for _, _, each in later])
        raise
    if later:
        values = await gather_with_cancel(*(each for _, _, each in later))
        for (index, load, _), value in zip(later, values, strict=True):
            load.put(items[index][0], value)
    return [item[0] for item in items]


def _begun(executor: Executor[Any], load: Load, key: object) -> "asyncio.Future[Any]":
    try:
        return load.loaded.load(executor.context_value, key)
    except Exception as error:  # noqa: BLE001 -- it is this field's
        failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        return failed


def _completed(executor: Executor[Any], load: Load, future: "asyncio.Future[Any]", path: Path, index: int) -> Any:  # noqa: ANN401 -- any value
    """What was loaded becomes, or an awaitable of that. Compare `Executor.complete_awaitable_value`."""
    place = load.place
    try:
        value = load.loaded.make(future.result())
    except Exception as error:  # noqa: BLE001 -- whatever it is
        place.fail(executor, error, load.path(path, index))
        return None
    try:
        return load.function(value)
    except Exception:  # noqa: BLE001 -- whatever it was, graphql-core comes upon it too, and tells of it
        return _stock(executor, place, value, load.path(path, index))


async def _stock(executor: Executor[Any], place: Place, value: object, path: Path) -> object:
    """A value as graphql-core completes it."""
    try:
        completed = executor.complete_value(
            place.field.type, place.selected, place.info(executor, path), path, value, None
        )
        return await completed if executor.is_awaitable(completed) else completed
    except Exception as error:  # noqa: BLE001 -- a resolver's, whatever it is
        place.fail(executor, error, path)
        return None


def _looked_at(future: "asyncio.Future[Any]") -> None:
    """So that nobody is told of an error that nobody waits for any more."""
    future.cancelled() or future.exception()


class _ItemWriter(Writer):
    """Writes the function of an item: to what is plain of it, and the keys of what is loaded.

    Attributes:
        loads: the fields that are loaded.
        keys: of each the variable that has its key.
    """

    def __init__(self, executor: Executor[Any]) -> None:
        super().__init__(executor)
        self.loads: list[Load] = []
        self.keys: list[str] = []
        # What leads to the object at hand; None where it need not be there, or is there several times.
        self._within: tuple[Place, ...] | None = ()

    def value(self, type_: GraphQLOutputType, fields: FieldDetailsList, name: str) -> str:
        if is_non_null_type(type_):
            return super().value(type_, fields, name)
        with self._within_set(None):
            return super().value(type_, fields, name)

    def _list(self, type_: GraphQLList[Any], fields: FieldDetailsList, name: str) -> str:
        with self._within_set(None):
            return super()._list(type_, fields, name)

    def _interface(self, type_: GraphQLInterfaceType, fields: FieldDetailsList) -> str:
        with self._within_set(None):
            return super()._interface(type_, fields)

    def _field(self, type_: GraphQLObjectType, origin: type, selected: FieldDetailsList, name: str) -> str:
        field = type_.fields.get(selected[0].node.name.value)
        if self._within is None or field is None:
            return super()._field(type_, origin, selected, name)
        place = Place(type_, field, selected)
        if (loaded := facts.loaded(field)) is None:
            with self._within_set((*self._within, place)):
                return super()._field(type_, origin, selected, name)
        function = function_of(self._executor, field.type, selected)
        if function is None or is_non_null_type(field.type):
            raise NotPlain
        key = self._new("k")
        self.line(f"{key} = {self._constant(loaded.key)}({name})")
        self._guard(f"{key} is not None and type({key}) is not int and type({key}) is not str")
        self.loads.append(Load(self._within, place, loaded, function))
        self.keys.append(key)
        return "None"

    @contextmanager
    def _within_set(self, within: tuple[Place, ...] | None) -> Iterator[None]:
        outside, self._within = self._within, within
        yield
        self._within = outside
