"""What names mean where they stand: variables, types and functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fairlead_schema.cel.declarations import Environment, Function, Library
from fairlead_schema.cel.types import AnyType, type_of

_MOST_KEPT = 64
_kept: dict[tuple[int, ...], tuple[tuple[Library, ...], Mapping[str, Function]]] = {}


def functions_of(libraries: tuple[Library, ...]) -> Mapping[str, Function]:
    """
    Return the functions of libraries by name.

    A function that several have gets the overloads of all, in the order of the libraries; of overloads with the same
    id the first counts. The answer is kept: libraries live as long as the program.
    """
    key = tuple(map(id, libraries))
    kept = _kept.get(key)
    if kept is not None:
        return kept[1]
    functions: dict[str, Function] = {}
    for library in libraries:
        for function in library.functions:
            functions[function.name] = _merged(functions.get(function.name), function)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = libraries, functions
    return functions


def _merged(first: Function | None, second: Function) -> Function:
    if first is None:
        return second
    known = {overload.id for overload in first.overloads}
    more = tuple(overload for overload in second.overloads if overload.id not in known)
    return Function(first.name, first.overloads + more, first.cost or second.cost)


class Scopes:
    """Variables of an environment, and within them those of comprehensions."""

    __slots__ = ("_functions", "_inner", "_libraries", "_variables")

    def __init__(self, environment: Environment) -> None:
        self._variables = environment.variables
        self._libraries = environment.libraries
        self._functions = functions_of(environment.libraries)
        self._inner: list[Mapping[str, AnyType]] = []

    @contextmanager
    def within(self, variables: Mapping[str, AnyType]) -> Iterator[None]:
        """Have more variables, which hide others of their names."""
        self._inner.append(variables)
        yield
        self._inner.pop()

    def identifier(self, name: str) -> tuple[str, AnyType] | None:
        """Return the full name and the type of a variable or of the name of a type; None if nothing has the name."""
        name = name.removeprefix(".")
        for variables in reversed(self._inner):
            if name in variables:
                return name, variables[name]
        if name in self._variables:
            return name, self._variables[name]
        for library in self._libraries:
            named = library.types.get(name)
            if named is not None:
                return name, type_of(named)
        return None

    def function(self, name: str) -> Function | None:
        """Return the function of a name."""
        return self._functions.get(name.removeprefix("."))
