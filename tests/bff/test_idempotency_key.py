"""One key, wherever a client says it."""

import pytest

from bff.http.idempotency_key import agreed
from domain.errors import ErrorCode, InvalidInput

UUID = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (UUID, UUID),
        (f'"{UUID}"', UUID),
        (f" \t{UUID} ", UUID),
        (f' "{UUID}"\t', UUID),
        ("two words", "two words"),
        ('" spaces are kept "', " spaces are kept "),
        (r'"a \"quoted\" word"', 'a "quoted" word'),
        (r'"back\\slash"', r"back\slash"),
        (r"back\slash", r"back\slash"),
        ('in"side', 'in"side'),
        ("'single'", "'single'"),
        ("~!#$%&()*+,-./:;<=>?@[]^_`{|}", "~!#$%&()*+,-./:;<=>?@[]^_`{|}"),
        # The order rules refuse what is too short or too long.
        ('""', ""),
        ("x" * 65, "x" * 65),
    ],
)
def test_a_header_says_a_key_bare_or_as_a_string(header: str, key: str) -> None:
    assert agreed(None, [header]) == key
    assert agreed(key, [header]) == key
    assert agreed(key, []) == key


@pytest.mark.parametrize(
    "header",
    ["", " ", '"', '"open', '"a"b', r'"a\"', r'"\n"', '"a"; b=1', '"a", "b"', "caf\xe9", "\x7f", "a\tb", '"a\tb"'],
    ids=ascii,
)
def test_a_header_that_has_no_key_is_refused_and_not_passed_over(header: str) -> None:
    for argument in (None, "a", header):
        with pytest.raises(InvalidInput) as refused:
            agreed(argument, [header])
        assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_INPUT, ("idempotencyKey",))


def test_where_nothing_is_said_there_is_no_key() -> None:
    assert agreed(None, []) is None


@pytest.mark.parametrize(
    ("argument", "headers"), [("a", ["b"]), ("a", ["A"]), ("", ["a"]), (None, ["a", "b"]), ("a", ["a", "b"])], ids=str
)
def test_keys_that_differ_are_refused(argument: str | None, headers: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        agreed(argument, headers)
    assert refused.value.field == ("idempotencyKey",)


def test_a_key_said_several_times_is_one() -> None:
    assert agreed("a", ["a", '"a"']) == "a"
