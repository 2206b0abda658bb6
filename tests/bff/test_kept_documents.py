"""Documents that are kept: parsed and validated once, within bounds."""

import gc
import tracemalloc
from collections.abc import Sequence
from typing import Final

import pytest
from graphql import DocumentNode, GraphQLError, GraphQLSyntaxError, specified_rules
from strawberry.schema.schema import validate_document

from bff.execution.documents import Documents
from bff.execution.plans import Plans
from bff.limits.complexity import MAX_TOKENS
from tests.bff import documents as texts
from tests.bff.compared import SCHEMA, World, fresh_executor, outcome
from tests.bff.stand_in import sn

ALL: Final = (texts.DETAIL, texts.FULL_DETAIL, texts.LIST, texts.PLACE, texts.PAY, texts.NODES)


def validate(document: DocumentNode) -> Sequence[GraphQLError]:
    return validate_document(SCHEMA, document, tuple(specified_rules))


@pytest.fixture
def documents() -> Documents:
    return Documents(MAX_TOKENS)


def test_a_text_is_parsed_once(documents: Documents) -> None:
    first, other = documents.parse("{ __typename }"), documents.parse("{ a: __typename }")
    assert documents.parse("{ __typename }") is first
    assert other is not first
    assert len(documents) == 2


def test_a_document_is_validated_once_and_each_caller_has_a_list_of_its_own(documents: Documents) -> None:
    asked = []

    def validate_once(document: DocumentNode) -> Sequence[GraphQLError]:
        asked.append(document)
        return validate(document)

    wrong = documents.parse("{ nothing }")
    found = wrong.errors(validate_once)
    assert [error.message for error in found] == ["Cannot query field 'nothing' on type 'Query'."]
    found.clear()
    assert len(wrong.errors(validate_once)) == 1
    right = documents.parse(texts.DETAIL)
    assert right.errors(validate_once) == right.errors(validate_once) == []
    assert len(asked) == 2


@pytest.mark.parametrize("text", ["{", "", "{ " + "a " * MAX_TOKENS + "}"])
def test_what_is_no_document_is_not_kept(documents: Documents, text: str) -> None:
    for _ in range(2):
        with pytest.raises(GraphQLSyntaxError):
            documents.parse(text)
    assert (len(documents), documents.bytes) == (0, 0)


def test_the_one_that_was_not_wanted_longest_is_forgotten() -> None:
    documents = Documents(MAX_TOKENS, most=2)
    first = documents.parse("{ a }")
    documents.parse("{ b }")
    documents.parse("{ a }")
    documents.parse("{ c }")
    assert documents.parse("{ a }") is first
    assert len(documents) == 2


def test_long_documents_take_the_place_of_many() -> None:
    documents = Documents(MAX_TOKENS, most_bytes=1_000_000)
    for number in range(100):
        documents.parse(f"{{ a{number} " + "a " * 400 + "}")
    assert len(documents) == 1
    assert 0 < documents.bytes <= 1_000_000
    # Spaces and strings are no tokens, and take memory all the same.
    documents.parse("{ a }" + " " * 500_000)
    assert documents.bytes <= 1_000_000


def test_one_that_alone_is_too_much_is_served_and_not_kept() -> None:
    documents = Documents(MAX_TOKENS, most_bytes=10_000)
    assert documents.parse("{ " + "a " * 400 + "}").node.definitions
    assert (len(documents), documents.bytes) == (0, 0)


async def test_what_a_document_takes_is_less_than_is_reckoned_with() -> None:
    """With the plan that it gets in the end."""
    documents, executor = Documents(MAX_TOKENS), fresh_executor()
    variables = {"sn": sn(1), "first": 2, "input": texts.stay(), "ids": []}
    for text in ALL:  # so that what all share is there
        await outcome(documents.parse(text).node, variables, World(), executor)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        fresh = Documents(MAX_TOKENS)
        executor.plans = Plans(sights=1)
        for text in ALL:
            document = fresh.parse(text + " ")
            document.errors(validate)
            await outcome(document.node, variables, World(), executor)
        gc.collect()
        took = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert took < fresh.bytes < 4 * took


async def test_a_kept_document_is_planned_and_a_new_one_is_not(documents: Documents) -> None:
    executor = fresh_executor(sights=2)
    for _ in range(3):
        await outcome(documents.parse(texts.DETAIL).node, {"sn": sn(1)}, World(), executor)
    assert len(executor.plans) == 1
    assert all(known.plans for known in executor.plans._operations.values())
