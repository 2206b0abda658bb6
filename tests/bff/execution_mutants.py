"""The compiled executor with one thing wrong, each as somebody could write it by mistake."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest
from graphql import GraphQLEnumType, GraphQLOutputType, get_nullable_type
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import CollectedErrors, Executor
from graphql.pyutils import Path

from bff.execution import again, arguments, facts, inputs, loaded, plain, plans, waiting
from bff.execution import executor as executor_module
from bff.execution.executor import CompiledExecutor
from bff.execution.loaded import Load
from bff.execution.places import MISS, Place
from bff.execution.plain import Writer
from bff.execution.plans import Plan
from bff.execution.root import Root

Plant = Callable[[pytest.MonkeyPatch], None]
# Each with what goes wrong in the worlds where it shows; None where it shows in any.
MUTANTS: Final[dict[str, tuple[Plant, str | None]]] = {}


def _mutant(plant: Plant, shows: str | None = None) -> Plant:
    MUTANTS[plant.__name__] = plant, shows
    return plant


def _shows_by(wrong: str) -> Callable[[Plant], Plant]:
    return lambda plant: _mutant(plant, wrong)


@_mutant
def nothing_is_let_through_where_something_must_be(patch: pytest.MonkeyPatch) -> None:
    sound = Writer.value

    def value(self: Writer, type_: Any, fields: FieldDetailsList, name: str) -> str:
        return sound(self, get_nullable_type(type_), fields, name)

    patch.setattr(Writer, "value", value)


@_mutant
def values_are_taken_on_trust(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Writer, "_guard", lambda *_: None)


@_shows_by("a large integer")
def an_integer_may_be_too_large(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plain, "GRAPHQL_MAX_INT", 2**63)


@_shows_by("cast")
def a_cast_is_not_noticed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "may_be_cast", lambda _: False)


@_mutant
def a_value_that_is_wrong_becomes_nothing(patch: pytest.MonkeyPatch) -> None:
    def plain_of(function: Callable[[Any], Any]) -> Callable[..., Any]:
        def complete(_executor: object, value: object, *_: object) -> object:
            try:
                return function(value)
            except Exception:  # noqa: BLE001 -- it is a mutant
                return None

        return complete

    patch.setattr(waiting, "_plain", plain_of)


@_mutant
def a_member_is_told_by_its_value(patch: pytest.MonkeyPatch) -> None:
    def members(type_: GraphQLEnumType) -> dict[int, str]:
        return {id(member): str(member.value) for member in getattr(type_, "wrapped_cls", ())}

    patch.setattr(plain, "_members", members)


@_mutant
def variables_leave_nothing_out(patch: pytest.MonkeyPatch) -> None:
    sound = plans._variables
    patch.setattr(plans, "_variables", lambda *known: None if sound(*known) is None else ())


@_mutant
def fields_that_are_selected_twice_are_planned_once(patch: pytest.MonkeyPatch) -> None:
    sound = Plan.complete

    def complete(self: Plan, executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList) -> Any:
        return sound(self, executor, type_, fields[:1])

    patch.setattr(Plan, "complete", complete)


@_mutant
def a_resolver_is_asked_again(patch: pytest.MonkeyPatch) -> None:
    sound = waiting._awaited

    def awaited(place: Place, resolve: Any, definition: Any, info_class: Any, complete: Any) -> Any:
        def again(executor: Executor[Any], value: object, path: Path, info: Any) -> object:
            completed = complete(executor, value, path, info)
            return place.stock(executor, sources[id(path)], path) if completed is MISS else completed

        sources: dict[int, object] = {}
        started = sound(place, resolve, definition, info_class, again)

        def start(executor: Executor[Any], source: object, path: Path) -> object:
            sources[id(path)] = source
            return started(executor, source, path)

        return start

    patch.setattr(waiting, "_awaited", awaited)


@_mutant
def an_error_in_a_waiting_field_is_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Place, "fail", lambda *_: None)


@_mutant
def a_resolver_is_told_of_another_place(patch: pytest.MonkeyPatch) -> None:
    sound = Place.info
    patch.setattr(Place, "info", lambda self, executor, path: sound(self, executor, path._replace(key="elsewhere")))


@_mutant
def an_item_that_fails_takes_the_list_with_it(patch: pytest.MonkeyPatch) -> None:
    def item(_type: object, _fields: object, each: Callable[..., Any]) -> Callable[..., bool]:
        def add(executor: Executor[Any], value: object, results: list[Any], path: Path, info: object) -> bool:
            results.append(each(executor, value, path, info))
            return executor.is_awaitable(results[-1])

        return add

    patch.setattr(waiting, "_item", item)


@_mutant
def fields_wait_for_each_other(patch: pytest.MonkeyPatch) -> None:
    async def wait(results: Any, waited: list[Any]) -> object:
        for place in waited:
            results[place] = await results[place]
        return results

    patch.setattr(waiting, "_all", wait)


@_shows_by("slow")
def what_nobody_wants_any_more_goes_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(waiting, "gather_with_cancel", asyncio.gather)


@_mutant
def what_was_begun_is_left_behind(patch: pytest.MonkeyPatch) -> None:
    def leave(_: object, awaitables: list[Any]) -> None:
        for each in awaitables:
            if asyncio.iscoroutine(each):
                each.close()

    patch.setattr(CompiledExecutor, "settle_in_background", leave)


@_mutant
def what_an_input_does_not_have_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inputs, "frozenset", Anything, raising=False)


class Anything(frozenset[str]):
    """As if it had every name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __len__(self) -> int:
        return 1000


@_mutant
def an_integer_that_is_given_may_be_too_large(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inputs, "GRAPHQL_MAX_INT", 2**63)


@_mutant
def any_value_that_is_given_is_taken_for_what_is_wanted(patch: pytest.MonkeyPatch) -> None:
    sound = inputs._Coercing._unless
    patch.setattr(inputs._Coercing, "_unless", lambda self, _, type_, name: sound(self, "True", type_, name))


@_mutant
def nothing_is_given_where_something_must_be(patch: pytest.MonkeyPatch) -> None:
    sound = inputs._Coercing.value

    def value(self: inputs._Coercing, type_: Any, name: str) -> str:
        return sound(self, get_nullable_type(type_), name)

    patch.setattr(inputs._Coercing, "value", value)


@_mutant
def a_variable_has_no_default(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(again, "default_of", lambda _: inputs.ABSENT)


@_mutant
def a_field_of_an_input_has_no_default(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inputs, "default_of", lambda _: inputs.ABSENT)


@_mutant
def an_argument_stays_as_it_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arguments, "converter", lambda *_: None)


@_mutant
def a_variable_within_a_value_is_not_seen(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arguments, "_has_variables", lambda _: False)


@_mutant
def a_field_that_fails_is_asked_again(patch: pytest.MonkeyPatch) -> None:
    sound = Root._answer

    async def answer(self: Root, executor: Executor[Any], given: dict[str, Any]) -> Any:
        found = await sound(self, executor, given)
        return await sound(self, executor, given) if found.errors else found

    patch.setattr(Root, "_answer", answer)


@_mutant
def errors_of_one_request_are_told_in_the_next(patch: pytest.MonkeyPatch) -> None:
    kept = CollectedErrors()
    patch.setitem(executor_module.OWN, "collected_errors", lambda _: kept)


@_mutant
def what_is_loaded_is_taken_on_trust(patch: pytest.MonkeyPatch) -> None:
    def unguarded(executor: Executor[Any], load: Load, future: "asyncio.Future[Any]", *_: object) -> object:
        value = load.loaded.make(future.result())
        return executor.complete_value(load.place.field.type, load.place.selected, None, None, value, None)  # type: ignore[arg-type]

    patch.setattr(loaded, "_completed", unguarded)


@_mutant
def what_is_loaded_gets_to_the_item_before(patch: pytest.MonkeyPatch) -> None:
    sound = loaded._filled

    async def filled(executor: Executor[Any], items: list[Any], *others: Any) -> Any:
        keys = [item[1:] for item in items]
        return await sound(
            executor, [(item[0], *key) for item, key in zip(items, keys[1:] + keys[:1], strict=True)], *others
        )

    patch.setattr(loaded, "_filled", filled)


@_mutant
def what_fails_to_be_loaded_is_not_told(patch: pytest.MonkeyPatch) -> None:
    sound = loaded._completed

    def completed(executor: Executor[Any], load: Load, future: "asyncio.Future[Any]", *others: Any) -> object:
        return None if future.exception() else sound(executor, load, future, *others)

    patch.setattr(loaded, "_completed", completed)


@_mutant
def what_is_loaded_is_told_of_another_place(patch: pytest.MonkeyPatch) -> None:
    sound = Load.path
    patch.setattr(Load, "path", lambda self, path, index: sound(self, path, index + 1))


@_mutant
def what_is_loaded_is_loaded_for_each_object(patch: pytest.MonkeyPatch) -> None:
    sound = loaded._begun

    def begun(executor: Executor[Any], load: Load, key: object) -> "asyncio.Future[Any]":
        executor.context_value.renew()
        return sound(executor, load, key)

    patch.setattr(loaded, "_begun", begun)
