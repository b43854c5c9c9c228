"""
What mutating policies make: ``Object{spec: Object.spec{replicas: 3}}`` and ``JSONPatch{op: "add", ...}``.

Nothing is known of the object's schema: a type is named after the path at which it stands, and any field may have any
value. Whether names and places agree is looked at when the value is there (:func:`misnamed`).

Source: k8s.io/apiserver/pkg/cel/mutation (typeresolver.go, jsonpatch.go, dynamic/objects.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import Library
from fairlead_schema.cel.kinds import name_of
from fairlead_schema.cel.types import AnyType, Field, ObjectType, Type
from fairlead_schema.cel.values import EvaluationError, UInt, Value

ROOT = "Object"
PATCH = "JSONPatch"
_JSON = (str, bool, int, float, type(None))


@dataclass(frozen=True, slots=True)
class MadeType(ObjectType):
    """A type whose literals keep its name; see :class:`Made`."""


class Made(dict[str, Value]):
    """An object that an expression made: its fields, and ``cel_type``, what it was called."""

    __slots__ = ("cel_type",)

    def __init__(self, cel_type: Type, fields: Mapping[str, Value]) -> None:
        super().__init__(fields)
        self.cel_type = cel_type

    def __eq__(self, other: object) -> bool:
        """Compare types and fields."""
        return isinstance(other, Made) and self.cel_type.name == other.cel_type.name and dict.__eq__(self, other)

    __hash__ = None


class _AnyField(Mapping[str, Field]):
    """Fields of objects of unknown schema: each there may be, of any type."""

    def __getitem__(self, name: str) -> Field:
        return Field(name, t.DYN)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Names(Mapping[str, AnyType]):
    """``JSONPatch``, ``Object`` and all that begin with ``Object.``."""

    def __getitem__(self, name: str) -> AnyType:
        if name == PATCH:
            return PATCH_TYPE
        if name == ROOT or name.startswith(f"{ROOT}."):
            return MadeType(name, fields=_ANY_FIELD)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter((PATCH, ROOT))

    def __len__(self) -> int:
        return 2


_ANY_FIELD = _AnyField()
_PATCH_FIELDS = {name: Field(name, t.STRING) for name in ("op", "path", "from")} | {"value": Field("value", t.DYN)}
ROOT_TYPE = MadeType(ROOT, fields=_ANY_FIELD)
PATCH_TYPE = MadeType(PATCH, fields=_PATCH_FIELDS)
OBJECTS = Library("kubernetes.objects", types=_Names())


def misnamed(value: Value, path: str = ROOT) -> Iterator[str]:
    """Yield what is wrong with the names of types: each is to be that of the path at which its value stands."""
    if isinstance(value, Made):
        name = value.cel_type.name
        if name != path:
            expected = f'unexpected type name "{name}", expected "{path}"'
            yield f"{expected}, which matches field name path from root Object type"
        for field, item in value.items():
            yield from misnamed(item, f"{path}.{field}")
    elif isinstance(value, list):
        for item in value:
            yield from misnamed(item, path)
    elif isinstance(value, dict):
        for item in value.values():
            yield from misnamed(item, path)


def as_json(value: Value) -> Any:
    """
    Return a value as JSON.

    Raises:
        EvaluationError: JSON has no such values, or a key is no string.
    """
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                raise EvaluationError(f"map key {key!r} is of type {name_of(key)}, not string")
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if type(value) is UInt:
        return int(value)
    if type(value) in _JSON:
        return value
    raise EvaluationError(f"type conversion error from '{name_of(value)}' to 'google.protobuf.Value'")
