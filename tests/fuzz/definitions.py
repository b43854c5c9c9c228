"""CRDs made on the fly: structural schemas with all that those may have, and objects of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from fairlead_api import JsonObject
from tests.fuzz.asked import Edit, Request
from tests.fuzz.kinds import Kind, Schemas
from tests.fuzz.mutations import Draw
from tests.fuzz.sequences import about
from tests.fuzz.sides import CRDS

OLDER = "v1beta1"
_GROUP = "${id}.example.com"
_SCALARS: tuple[tuple[JsonObject, Any], ...] = (
    ({"type": "string"}, "a"),
    ({"type": "string", "enum": ["a", "b"]}, "b"),
    ({"type": "string", "default": "d"}, "a"),
    ({"type": "string", "pattern": "^[a-z]+$", "maxLength": 5, "minLength": 1}, "abc"),
    ({"type": "string", "format": "date-time"}, "2024-01-02T03:04:05Z"),
    ({"type": "string", "format": "ipv4"}, "10.0.0.1"),
    ({"type": "string", "format": "duration"}, "5m"),
    ({"type": "string", "nullable": True}, None),
    ({"type": "string", "nullable": True, "default": "n"}, None),
    ({"type": "integer", "minimum": 0, "maximum": 10}, 5),
    ({"type": "integer", "format": "int32", "default": 3}, 4),
    ({"type": "integer", "exclusiveMinimum": True, "minimum": 0, "multipleOf": 2}, 4),
    ({"type": "number"}, 1.5),
    ({"type": "boolean", "default": True}, False),
    ({"x-kubernetes-int-or-string": True}, "50%"),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}, 3),
    ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"any": ["thing", 1]}),
    ({"x-kubernetes-preserve-unknown-fields": True}, [1, "a"]),
    ({"type": "object", "additionalProperties": {"type": "string"}}, {"k": "v"}),
    ({"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 2}, {"k": 1}),
    ({"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}}, {"a": "b"}),
    ({"type": "array", "items": {"type": "string"}}, ["a", "a"]),
    ({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}, ["a", "b"]),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 3, "minItems": 1}, [1]),
)
_KEYED: JsonObject = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "value": {"type": "integer", "default": 1}},
    },
}
_TWO_KEYS: JsonObject = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["port", "protocol"],
    "items": {
        "type": "object",
        "required": ["port"],
        "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}},
    },
}
_LISTS: tuple[tuple[JsonObject, Any], ...] = (
    (_KEYED, [{"name": "a", "value": 2}, {"name": "b"}]),
    (_TWO_KEYS, [{"port": 80}, {"port": 80, "protocol": "UDP"}]),
)
_EMBEDDED: JsonObject = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "x-kubernetes-preserve-unknown-fields": True,
}
_RULES: tuple[JsonObject, ...] = (
    {"rule": "self.count >= 0", "message": "count must not be negative"},
    {"rule": "self.count >= oldSelf.count - 1", "reason": "FieldValueForbidden", "message": "count only grows"},
    {"rule": "self.count < 3 || has(self.f0)", "messageExpression": "'f0 with ' + string(self.count)"},
    {"rule": "self.count != 3 || size(self.nested) < 9", "fieldPath": ".nested"},
    {"rule": "!oldSelf.hasValue() || self.count != 2", "optionalOldSelf": True, "reason": "FieldValueDuplicate"},
    {"rule": "self.nothing > 0"},
)
"""Of objects that have at least ``count``; of others some do not compile."""


def _object_schema(draw: Draw, depth: int) -> tuple[JsonObject, JsonObject]:
    """Draw a schema of an object, and a valid object of it."""
    properties: JsonObject = {}
    value: JsonObject = {}
    for index in range(draw(st.integers(1, 4))):
        schema, one = draw(st.sampled_from((*_SCALARS, *_LISTS, *_LISTS)))
        properties[f"f{index}"] = schema
        value[f"f{index}"] = one
    if depth and draw(st.booleans()):
        properties["nested"], value["nested"] = _object_schema(draw, depth - 1)
    if draw(st.integers(0, 3)) == 0:
        properties["filled"] = {
            "type": "object",
            "default": {},
            "properties": {"inner": {"type": "string", "default": "from the schema"}},
        }
    schema = {"type": "object", "properties": properties}
    if draw(st.integers(0, 2)) == 0:
        schema["required"] = ["f0"]
        if value["f0"] is None:
            value["f0"] = "here"
    return schema, value


def definition(draw: Draw) -> tuple[JsonObject, JsonObject]:
    """Draw a CRD without its name, and the content of a valid object."""
    spec, value = _object_schema(draw, 1)
    spec["properties"]["count"] = {"type": "integer", "default": 1}
    if draw(st.integers(0, 3)) == 0:
        spec["x-kubernetes-validations"] = draw(st.lists(st.sampled_from(_RULES), min_size=1, max_size=2))
    status = {
        "type": "object",
        "properties": {"phase": {"type": "string"}, "count": {"type": "integer"}, "selector": {"type": "string"}},
    }
    properties = {"spec": spec, "status": status}
    if draw(st.integers(0, 4)) == 0:
        properties["embedded"] = _EMBEDDED
    version: JsonObject = {"name": "v1", "served": True, "storage": True}
    version["schema"] = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    if draw(st.booleans()):
        version["subresources"] = {"status": {}}
        if draw(st.booleans()):
            paths = {"specReplicasPath": ".spec.count", "statusReplicasPath": ".status.count"}
            version["subresources"]["scale"] = {
                **paths,
                **draw(st.sampled_from(({}, {"labelSelectorPath": ".status.selector"}))),
            }
    if draw(st.booleans()):
        version["additionalPrinterColumns"] = [{"name": "Count", "type": "integer", "jsonPath": ".spec.count"}]
    if draw(st.integers(0, 2)) == 0:
        version["selectableFields"] = [{"jsonPath": ".spec.count"}]
    scope = draw(st.sampled_from(("Namespaced", "Namespaced", "Cluster")))
    names = {
        "plural": "widgets",
        "singular": "widget",
        "kind": "Widget",
        "listKind": "WidgetList",
        "shortNames": ["w${id}"],
    }
    versions = [version]
    if draw(st.integers(0, 3)) == 0:
        versions.append(_older(draw, version))
        version["storage"] = not versions[1]["storage"]
    return {"spec": {"group": _GROUP, "scope": scope, "names": names, "versions": versions}}, {"spec": value}


def _older(draw: Draw, version: JsonObject) -> JsonObject:
    """Draw a second version of a CRD: with the same schema, or with one that lets everything pass."""
    found = {**version, "name": OLDER, "storage": draw(st.booleans())}
    if draw(st.booleans()):
        found["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        found.pop("additionalPrinterColumns", None)
        found.pop("selectableFields", None)
    if draw(st.integers(0, 3)) == 0:
        found |= {"deprecated": True, **draw(st.sampled_from(({}, {"deprecationWarning": "take v1"})))}
    return found


def _custom(crd: JsonObject, value: JsonObject) -> Kind:
    version = crd["spec"]["versions"][0]
    return Kind(
        key=f"{_GROUP}/v1/widgets",
        name="Widget",
        is_namespaced=crd["spec"]["scope"] == "Namespaced",
        subresources=frozenset(version.get("subresources", ())),
        templates=(value, {"spec": {**value["spec"], "count": 2}}),
        edits=(Edit("set", "/spec/count", 3), Edit("cut", "/spec/count")),
        status={"phase": "Good", "count": 2},
        schema=version["schema"]["openAPIV3Schema"],
        is_custom=True,
    )


@st.composite
def custom_sequences(draw: Draw, schemas: Schemas) -> list[Request]:
    """Draw a CRD and a sequence about its objects."""
    crd, value = definition(draw)
    name = f"widgets.{_GROUP}"
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    body = {**head, "metadata": {"name": name, "labels": {"fuzz": "${id}"}}, **crd}
    made = Request("create", CRDS, "POST", path, slot="crd", body=body, headers={"Content-Type": "application/json"})
    known = Request("settle", CRDS, "GET", f"{path}/{name}", slot="crd")
    kind = _custom(crd, value)
    gone = Request("delete", CRDS, "DELETE", f"{path}/{name}")
    asked = about(draw, kind, schemas)
    if len(crd["spec"]["versions"]) > 1:
        asked = [_of_older(request) if draw(st.booleans()) else request for request in asked]
    return [made, known, *asked, gone]


def _of_older(request: Request) -> Request:
    """Ask for the same in the older version."""
    newer, older = f"{_GROUP}/v1", f"{_GROUP}/{OLDER}"
    path, body, edits = request.path.replace(newer, older, 1), request.body, request.edits
    if isinstance(body, dict) and body.get("apiVersion") == newer:
        body = {**body, "apiVersion": older}
    if request.is_seen:  # maybe in the other version
        edits = (*edits, Edit("set", "/apiVersion", older))
    return replace(request, path=path, body=body, edits=edits)


@st.composite
def definition_sequences(draw: Draw, kind: Kind, schemas: Schemas) -> list[Request]:
    """Draw a sequence about CRDs themselves; the name of one follows from its content."""
    crd, _ = definition(draw)
    requests = about(draw, Kind(**{**_members(kind), "templates": (crd,)}), schemas)
    settled = []
    for request in map(_renamed, requests):
        if request.verb != "settle":
            settled.append(request)
        if request.method != "GET" and request.slot:
            path = request.path.removesuffix("/status")
            path += f"/{request.body['metadata']['name']}" if request.verb == "create" else ""
            settled.append(Request("settle", CRDS, "GET", path, slot=request.slot))
    return settled


def _members(kind: Kind) -> JsonObject:
    return {name: getattr(kind, name) for name in Kind.__dataclass_fields__}


def _renamed(request: Request) -> Request:
    """Give each object of a sequence a group of its own, from which its name follows."""
    name, group = f"${{id}}-{request.slot}", f"{request.slot}.${{id}}.example.com"
    found = request.to_json()
    body = request.body
    if isinstance(body, dict) and body.get("kind") == "CustomResourceDefinition":
        body = {**body, "metadata": {**body.get("metadata", {}), "name": f"widgets.{group}"}}
        if isinstance(body.get("spec"), dict) and "group" in body["spec"]:
            body["spec"] = {**body["spec"], "group": group}
        found["body"] = body
    found["path"] = request.path.replace(name, f"widgets.{group}")
    return Request.from_json(found)
