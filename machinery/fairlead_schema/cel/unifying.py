"""
How types relate: what messages call them, and which may stand for which.

A parameter of a type is bound when it first meets a type. Source: cel-go's checker/types.go and checker/format.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fairlead_schema.cel.types import DYN, AnyType, ObjectType, Parameter, Type

_SHOWN = {"google.protobuf.Duration": "duration", "google.protobuf.Timestamp": "timestamp"}
_PLAIN = frozenset(
    (
        *("dyn", "!error!", "null", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "type"),
        *_SHOWN,
    )
)

_OPAQUE = frozenset(("optional_type", "net.IP", "net.CIDR"))
"""Types that nobody expects to have fields; other types of libraries are messages without any."""


def kind_of(of: AnyType) -> str:
    """Return a type's own name if CEL knows it, else ``parameter``, ``opaque`` or ``struct``."""
    if isinstance(of, Parameter):
        return "parameter"
    if of.name in _OPAQUE:
        return "opaque"
    return of.name if of.name in _PLAIN and not isinstance(of, ObjectType) else "struct"


def shown(of: AnyType) -> str:
    """Return a type as messages of the checker have it."""
    if isinstance(of, Parameter) or not of.parameters:
        return _SHOWN.get(of.name, of.name)
    return f"{of.name}({', '.join(map(shown, of.parameters))})"


def is_dyn(of: AnyType) -> bool:
    """Return whether anything may stand for the type."""
    return kind_of(of) == "dyn"


def is_exact(left: AnyType, right: AnyType) -> bool:
    """Return whether two types are the same, whatever a schema says of their values."""
    if left is right:
        return True
    if kind_of(left) != kind_of(right) or left.name != right.name:
        return False
    return _all(is_exact, _parameters(left), _parameters(right))


def unwrapped(of: AnyType) -> tuple[AnyType, bool]:
    """Return what an optional may hold, and whether the type is an optional."""
    if isinstance(of, Type) and of.name == "optional_type" and of.parameters:
        return of.parameters[0], True
    return of, False


def most_general(left: AnyType, right: AnyType) -> AnyType:
    """Return the one of two types, of which one may stand for the other, that says less."""
    return left if _says_less(left, right) else right


def _says_less(left: AnyType, right: AnyType) -> bool:
    kind, other = kind_of(left), kind_of(right)
    if kind in ("dyn", "parameter"):
        return True
    if other in ("dyn", "parameter") or kind != other:
        return False
    if kind == "type":
        return True
    if kind in ("opaque", "list", "map"):
        return left.name == right.name and _all(_says_less, _parameters(left), _parameters(right))
    return is_exact(left, right)


def _parameters(of: AnyType) -> tuple[AnyType, ...]:
    return of.parameters if isinstance(of, Type) else ()


def _all(relation: Callable[[AnyType, AnyType], bool], left: Sequence[AnyType], right: Sequence[AnyType]) -> bool:
    return len(left) == len(right) and all(relation(one, other) for one, other in zip(left, right, strict=True))


def _is_nullable(of: AnyType) -> bool:
    return kind_of(of) in ("opaque", "struct", "null", *_SHOWN)


class Bindings:
    """Types of parameters, as far as they are known."""

    __slots__ = ("_bound", "_changes", "_fresh")

    def __init__(self) -> None:
        self._bound: dict[str, AnyType] = {}
        self._changes: list[tuple[str, AnyType | None]] = []
        self._fresh = 0

    def fresh(self) -> Parameter:
        """Return a parameter no type has."""
        self._fresh += 1
        return Parameter(f"_var{self._fresh - 1}")

    def resolved(self, of: AnyType, *, unknown: AnyType | None = None) -> AnyType:
        """Return a type with its parameters replaced by what they are bound to; others by ``unknown``, if given."""
        if isinstance(of, Parameter):
            bound = self._bound.get(of.name)
            if bound is None:
                return of if unknown is None else unknown
            return self.resolved(bound, unknown=unknown)
        if not of.parameters:
            return of
        parameters = tuple(self.resolved(each, unknown=unknown) for each in of.parameters)
        if all(new is old for new, old in zip(parameters, of.parameters, strict=True)):
            return of
        return replace(of, parameters=parameters)

    def final(self, of: AnyType) -> AnyType:
        """Return a type without parameters: those nothing is known of are ``dyn``."""
        return self.resolved(of, unknown=DYN)

    def assign(self, values: Sequence[AnyType], to: Sequence[AnyType]) -> bool:
        """Return whether values of these types may be given where those are wanted; if so, bind parameters."""
        self._changes.clear()
        if self._assign_all(values, to):
            return True
        for name, before in reversed(self._changes):
            if before is None:
                del self._bound[name]
            else:
                self._bound[name] = before
        return False

    def _bind(self, parameter: Parameter, to: AnyType) -> None:
        self._changes.append((parameter.name, self._bound.get(parameter.name)))
        self._bound[parameter.name] = to

    def _assign_all(self, values: Sequence[AnyType], to: Sequence[AnyType]) -> bool:
        return _all(self._assign, values, to)

    def _assign(self, value: AnyType, to: AnyType) -> bool:
        if isinstance(to, Parameter):
            fits, is_bound = self._stands_for(value, to)
            if fits or is_bound:
                return fits
        if isinstance(value, Parameter):
            return self._stands_for(to, value)[0]
        kind, wanted = kind_of(value), kind_of(to)
        if "dyn" in (kind, wanted) or "!error!" in (kind, wanted):
            return True
        if kind == "null" or wanted == "null":
            return _is_nullable(to if kind == "null" else value)
        if kind == "type":
            return wanted == "type"
        return kind == wanted and value.name == to.name and self._assign_all(_parameters(value), _parameters(to))

    def _stands_for(self, of: AnyType, parameter: Parameter) -> tuple[bool, bool]:
        """Return whether the parameter may stand for the type, and whether it is bound."""
        if is_exact(of, parameter):
            return True, True
        bound = self._bound.get(parameter.name)
        if bound is None:
            if not self._is_free_of(parameter, of):
                return False, False
            self._bind(parameter, of)
            return True, False
        if is_exact(of, bound):
            return True, True
        if not self._assign(of, bound):
            return False, True
        general = most_general(of, bound)
        if self._is_free_of(parameter, general):
            self._bind(parameter, general)
        return True, True

    def _is_free_of(self, parameter: Parameter, within: AnyType) -> bool:
        """Return whether a parameter is not in a type, which would then be endless."""
        if isinstance(within, Parameter):
            if within.name == parameter.name:
                return False
            bound = self._bound.get(within.name)
            return bound is None or self._is_free_of(parameter, bound)
        return all(self._is_free_of(parameter, each) for each in within.parameters)
