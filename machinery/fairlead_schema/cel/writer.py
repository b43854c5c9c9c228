"""Python source under construction: lines with their depth, names, and the constants they use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fairlead_schema.cel.values import Value

_DEEPEST = 90
_LOOPS = 18


class TooDeep(Exception):
    """Python cannot nest blocks so deeply."""


class Writer:
    """
    Collects the body of a function.

    Costs that are always spent are summed up in ``pending`` and written before the flow divides. What was read already
    is remembered in ``known`` as long as it is sure to have been read.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.globals: dict[str, Value] = {}
        self.pending = 0
        self.known: dict[tuple[str, str], str] = {}
        self._depth = 1
        self._loops = 0
        self._names = 0

    def name(self) -> str:
        """Return a new name."""
        self._names += 1
        return f"t{self._names}"

    def constant(self, value: Value) -> str:
        """Return what stands for a value: a literal, or a global name."""
        if value is None or type(value) in (bool, int, str):
            return repr(value)
        name = f"k{len(self.globals)}"
        self.globals[name] = value
        return name

    def line(self, text: str) -> None:
        """Write a line."""
        self.lines.append("    " * self._depth + text)

    def set(self, text: str) -> str:
        """Write ``name = text`` and return the name."""
        name = self.name()
        self.line(f"{name} = {text}")
        return name

    def flush(self) -> None:
        """Write what is always spent up to here."""
        if self.pending:
            self.line(f"c += {self.pending}")
            self.pending = 0

    @contextmanager
    def block(self, header: str, *, loop: bool = False) -> Iterator[None]:
        """Write a block; what it spends and reads is its own."""
        self.flush()
        self.line(header)
        before = len(self.lines)
        known = self.known
        self.known = dict(known)
        self._depth += 1
        self._loops += loop
        if self._depth > _DEEPEST or self._loops > _LOOPS:
            raise TooDeep
        yield
        self.flush()
        if len(self.lines) == before:
            self.line("pass")
        self._depth -= 1
        self._loops -= loop
        self.known = known
