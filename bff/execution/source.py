"""Functions that are written as source and compiled, as those of `dataclasses` are: no call, no loop, no look-up.

What a document says gets into it by `repr` of a str, or not at all.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Source:
    """The source of some functions, while it is written.

    Args:
        known: what the functions may name.
    """

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = dict(known)
        self._written: list[str] = []
        self._lines: list[str] = []
        self._indent = 1
        self._count = 0

    def compile(self, name: str) -> Callable[[Any], Any]:
        """The function of this name."""
        code = compile("\n".join(self._written), f"<compiled {name}>", "exec")
        exec(code, self._known)  # noqa: S102 -- written above, of names that are ours
        function: Callable[[Any], Any] = self._known[name]
        return function

    @contextmanager
    def function(self, what: str) -> Iterator[str]:
        """A function of `v`, whose lines are written meanwhile."""
        name = self._new(what)
        outside, self._lines = self._lines, [f"def {name}(v):"]
        indent, self._indent = self._indent, 1
        yield name
        self._written += self._lines
        self._lines, self._indent = outside, indent

    def line(self, text: str) -> None:
        """One more line of the function."""
        self._lines.append("    " * self._indent + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Lines within others, e.g. of an `else:`."""
        self.line(head)
        self._indent += 1
        yield
        self._indent -= 1

    def _constant(self, value: Any) -> str:  # noqa: ANN401 -- whatever the function needs to know
        name = self._new("C")
        self._known[name] = value
        return name

    def _new(self, what: str) -> str:
        self._count += 1
        return f"{what}_{self._count}"
