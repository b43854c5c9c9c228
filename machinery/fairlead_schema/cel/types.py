"""
Types of CEL expressions, as the checker knows them.

An :class:`ObjectType` is made from a schema: its fields convert on selection (``date-time`` strings are timestamps),
and lists know whether they are sets or maps (``x-kubernetes-list-type``), which decides ``==`` and ``+``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Type:
    """
    A type with its parameters: ``list(string)``, ``map(string, int)``, ``type(int)``, ``optional_type(dyn)``.

    ``name`` is what messages show. Abstract types of libraries are of this class (``kubernetes.Quantity``).
    """

    name: str
    parameters: tuple[AnyType, ...] = ()

    def __str__(self) -> str:
        """Return the type as cel-go writes it in messages."""
        return f"{self.name}({', '.join(map(str, self.parameters))})" if self.parameters else self.name


@dataclass(frozen=True, slots=True)
class Parameter:
    """A type parameter of a declaration: ``A`` in ``list(A)``."""

    name: str

    def __str__(self) -> str:
        """Return its name."""
        return self.name


@dataclass(frozen=True, slots=True)
class ListType(Type):
    """
    A list of a schema: ``kind`` is ``atomic``, ``set`` or ``map``, ``keys`` the fields that name an element of a map.

    ``longest`` is ``maxItems`` or what Kubernetes assumes without one; for estimates.
    """

    kind: str = "atomic"
    keys: tuple[str, ...] = ()
    longest: int = -1


@dataclass(frozen=True, slots=True)
class ObjectType(Type):
    """
    An object with declared fields, by their CEL names (``__dash__`` escapes).

    Equal by name only; names are unique in an environment (``object.spec.items.@idx``).
    """

    fields: Mapping[str, Field] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Field:
    """
    A field of an object.

    Attributes:
        name: In JSON.
        type: What selecting it gives.
        conversion: "" when the JSON value is the CEL value; else ``date-time``, ``duration``, ``byte`` or ``double``.
        longest: Most characters, elements or entries, for estimates; -1 when not known.
        required: Whether every object has it.
    """

    name: str
    type: AnyType
    conversion: str = ""
    longest: int = -1
    required: bool = False


AnyType = Type | Parameter

DYN = Type("dyn")
ERROR = Type("!error!")
NULL = Type("null")
BOOL = Type("bool")
INT = Type("int")
UINT = Type("uint")
DOUBLE = Type("double")
STRING = Type("string")
BYTES = Type("bytes")
DURATION = Type("google.protobuf.Duration")
TIMESTAMP = Type("google.protobuf.Timestamp")
A, B, K, V = Parameter("A"), Parameter("B"), Parameter("K"), Parameter("V")


def list_of(element: AnyType) -> Type:
    """Return ``list(element)``."""
    return Type("list", (element,))


def map_of(key: AnyType, value: AnyType) -> Type:
    """Return ``map(key, value)``."""
    return Type("map", (key, value))


def type_of(of: AnyType) -> Type:
    """Return ``type(of)``."""
    return Type("type", (of,))


def optional_of(of: AnyType) -> Type:
    """Return ``optional_type(of)``."""
    return Type("optional_type", (of,))
