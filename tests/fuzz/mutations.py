"""What is done to a valid object: one to three fields become wrong, or only unusual."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from fairlead_api import JsonObject
from tests.fuzz.asked import Edit, pointer_of
from tests.fuzz.kinds import Place, Schemas

Draw = Callable[..., Any]
_STRINGS = (
    "", "a", "web", "other", "Bad_Name", "UPPER", "a b", "-a", "a-", "a.b", "a..b", "a/b", "a/b/c", "/", "/a", "é",
    "0", "1", "80", "-1", "1.5", "1Gi", "100m", "1e3", "50%", "150%", "true", "x" * 64, "y" * 254, "10.0.0.1", "::1",
    "10.0.0.0/8", "256.1.1.1", "None", "Always", "2024-01-02T03:04:05Z", "*", "example.com/x",
    "https://a.example.com/b", "{}", "a\nb",
)  # fmt: skip
_NUMBERS = (-1, 0, 1, 2, 10, 80, 65535, 65536, 100000, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 1.5)
_ANY: tuple[Any, ...] = (None, True, 0, 7, "text", [], {}, ["x"], {"a": 1}, [None], 1.5)
_OF_METADATA: dict[str, tuple[Any, ...]] = {
    "name": ("", "Bad_Name", "a.b", "x" * 64, "y" * 254, "a/b", "%", ".."),
    "namespace": ("other", "Bad_Name", ""),
    "labels": ({"Bad Key": "v"}, {"a": "bad value!"}, {"a/b/c": ""}, {"a": "x" * 64}, {"a": 1}, None),
    "annotations": ({"a": "any thing!"}, {"Bad Key": "v"}, {"a": True}, {"a": "b", "c": ""}),
    "finalizers": (["bad"], ["example.com/hold"], ["example.com/a", "example.com/a"], [""], ["Bad/Key!"]),
    "ownerReferences": (
        [{"apiVersion": "v1", "kind": "Pod", "name": "a"}],
        [{"apiVersion": "", "kind": "", "name": "", "uid": ""}],
    ),
    "generation": (7, "7"),
    "creationTimestamp": ("2024-01-02T03:04:05Z", "then", None),
    "deletionTimestamp": ("2024-01-02T03:04:05Z",),
    "resourceVersion": ("1", "x", "0"),
    "uid": ("00000000-0000-4000-8000-000000000001",),
    "managedFields": ([], [{}], [{"manager": "x", "operation": "Bad"}]),
    "selfLink": ("/a",),
    "unknown": (1,),
    "generateName": ("a-", "Bad_", "x" * 300),
}
_METADATA = tuple(Edit("set", f"/metadata/{at}", value) for at, values in _OF_METADATA.items() for value in values)
_NEVER = {"globalDefault", "apiVersion", "kind", "ownerReferences", "finalizers", "metadata"}
"""What would reach into other sequences, or make a garbage collector race with us; and what edits of its own has."""


def mutations(draw: Draw, body: JsonObject, schema: JsonObject, schemas: Schemas) -> tuple[Edit, ...]:
    """Draw one to three edits of an object."""
    number = draw(st.sampled_from((1, 1, 1, 2, 3)))
    places = [place for place in schemas.walk(body, schema) if not _is_spared(place)]
    return tuple(_mutation(draw, places, schemas) for _ in range(number))


def _is_spared(place: Place) -> bool:
    return str(place.at[-1]) in _NEVER or place.at[0] in ("metadata", "apiVersion", "kind")


def _mutation(draw: Draw, places: list[Place], schemas: Schemas) -> Edit:
    if not places or draw(st.integers(0, 9)) < 2:
        edit: Edit = draw(st.sampled_from(_METADATA))
        return edit
    place: Place = draw(st.sampled_from(places))
    at = pointer_of(place.at)
    if isinstance(place.value, dict):
        return _of_map(draw, place, schemas)
    way = draw(st.sampled_from(("value", "value", "value", "value", "type", "cut", "null", "twice")))
    if way == "value":
        return Edit("set", at, _value(draw, place, schemas))
    if way == "type":
        return Edit("set", at, draw(st.sampled_from(_ANY)))
    return Edit("set", at, None) if way == "null" else Edit("cut" if way == "cut" else "twice", at)


def _of_map(draw: Draw, place: Place, schemas: Schemas) -> Edit:
    known = [key for key in place.schema.get("properties", {}) if key not in place.value and key not in _NEVER]
    ways = ["cut", "unknown", "type", *["add"] * 6 * bool(known), *["key"] * 3 * (not place.schema.get("properties"))]
    match draw(st.sampled_from(ways)):
        case "add":
            key = draw(st.sampled_from(known))
            value = generated(draw, schemas.child(place.schema, key), schemas, depth=3)
            return Edit("set", pointer_of((*place.at, key)), value)
        case "key":
            key = draw(st.sampled_from(_STRINGS))
            return Edit("set", pointer_of((*place.at, key or "Bad Key")), draw(st.sampled_from(("a", "", "1", "b c"))))
        case "unknown":
            return Edit("set", pointer_of((*place.at, "unknownField")), draw(st.sampled_from(_ANY)))
        case "type":
            return Edit("set", pointer_of(place.at), draw(st.sampled_from(_ANY)))
    return Edit("cut", pointer_of(place.at))


def _value(draw: Draw, place: Place, schemas: Schemas) -> Any:
    """Draw another value of the same type."""
    value = place.value
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return draw(st.sampled_from(_NUMBERS))
    if isinstance(value, list):
        one = generated(draw, schemas.child(place.schema, 0), schemas, depth=3)
        return draw(st.sampled_from(([], [*value, *value[-1:]], [one], [*value, one], value[:-1], value[::-1])))
    if enum := place.schema.get("enum"):
        return draw(st.sampled_from((*enum, "Other")))
    return draw(st.sampled_from(_STRINGS))


def generated(draw: Draw, schema: JsonObject, schemas: Schemas, depth: int) -> Any:
    """Draw a value of a schema, to so many levels; required members are there, and some others."""
    schema = schemas.resolved(schema)
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return draw(st.sampled_from((1, "50%", "x", 0)))
    match schema.get("type"):
        case "boolean":
            return draw(st.booleans())
        case "integer" | "number":
            return draw(st.sampled_from(_NUMBERS[1:6]))
        case "array":
            return [generated(draw, schema.get("items") or {}, schemas, depth - 1)] if depth > 0 else []
        case "string":
            return draw(st.sampled_from(_STRINGS))
    return _generated_map(draw, schema, schemas, depth)


def _generated_map(draw: Draw, schema: JsonObject, schemas: Schemas, depth: int) -> Any:
    properties = schema.get("properties")
    if properties is None:
        more = schema.get("additionalProperties")
        return {"a": generated(draw, more, schemas, depth - 1)} if isinstance(more, dict) and depth > 0 else {}
    chosen = list(schema.get("required", ())) if depth > -2 else []
    others = sorted(set(properties) - set(chosen) - _NEVER)
    if depth > 0 and others:
        chosen.append(draw(st.sampled_from(others)))
    return {key: generated(draw, properties.get(key, {}), schemas, depth - 1) for key in chosen}
