"""
The wrong types that keep a built-in kind from being decoded.

Kubernetes decodes built-in kinds into Go structs; a JSON value of the wrong type is a bad request (400) with the
decoder's text, and the first one ends it.

Source: sigs.k8s.io/json (UnmarshalTypeError), k8s.io/apimachinery/pkg/api/resource (Quantity), pkg/util/intstr.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

from fairlead_api import quantity
from fairlead_schema.causes import json_type
from fairlead_schema.node import ANY, LIST, MAP, SCHEMA_OR, Node

Decoder = Callable[[Any, str, str], str | None]
"""Takes a value, the dotted path of its field and the enclosing Go type; returns the first problem's text."""

_WALK = "decode"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_PLAIN_QUANTITY = re.compile(r"[0-9]{1,9}(?:m|k|M|G|Ki|Mi|Gi)?", re.ASCII)
_TIME_PATTERN = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$")
_WITH_UID = frozenset({"ObjectMeta", "OwnerReference", "ObjectReference", "Preconditions"})
"""Structs whose ``uid`` has a type of its own."""
_EMBEDDED: dict[str, tuple[str, frozenset[str]]] = {
    "EphemeralContainer": ("EphemeralContainerCommon", frozenset({"targetContainerName"})),
    "IngressRule": ("IngressRuleValue", frozenset({"host"})),
    "NamedRuleWithOperations": ("RuleWithOperations.Rule", frozenset({"operations", "resourceNames"})),
    "PersistentVolumeSpec": (
        "PersistentVolumeSource",
        frozenset(
            {
                "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
                "storageClassName", "volumeAttributesClassName", "volumeMode",
            }
        ),
    ),
    "Probe": (
        "ProbeHandler",
        frozenset(
            {
                "failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold",
                "terminationGracePeriodSeconds", "timeoutSeconds",
            }
        ),
    ),
    "RuleWithOperations": ("Rule", frozenset({"operations"})),
    "Volume": ("VolumeSource", frozenset({"name"})),
}  # fmt: skip
"""Structs with another one inside, whose fields are theirs in JSON: what Go calls that, and the fields not its own."""
_LIMITS = {"int32": 2**31, "int64": 2**63}


def typed_problem(node: Node, obj: Any) -> str | None:
    """Return the text of the first value that a Go decoder of this kind refuses, else None."""
    walk = decoder(node)
    return walk(obj, "", "") if walk else None


def decoder(node: Node) -> Decoder | None:
    """Return the check for values of ``node``; None when anything goes."""
    if _WALK in node._walks:  # noqa: SLF001 - the node keeps its walks so that shared nodes share them
        walk: Decoder | None = node._walks[_WALK]  # noqa: SLF001
        return walk
    walk = _make(node)
    node._walks[_WALK] = walk  # noqa: SLF001
    return walk


def _make(node: Node) -> Decoder | None:
    if node.kind == MAP:
        return _map_walk(node)
    if node.kind == LIST:
        return _list_walk(node)
    if node.name == _QUANTITY:
        return _quantity
    if node.name in SCHEMA_OR:
        return _schema_walk(node, SCHEMA_OR[node.name])
    if node.kind == ANY:
        return None
    return _scalar_walk(node)


def _map_walk(node: Node) -> Decoder:
    is_struct = bool(node.raw.get("properties"))
    struct = _short(node.name) if is_struct else ""
    has_uid = struct in _WITH_UID
    go_type = _go_type(node)
    tables: list[tuple[dict[str, Decoder | None], Decoder | None]] = []
    embedded, own = _EMBEDDED.get(struct, ("", frozenset()))

    def walk(value: Any, path: str, owner: str) -> str | None:
        if type(value) is not dict:
            return None if value is None else mismatch(value, path, owner, go_type)
        if not tables:
            table = {name: decoder(child) for name, child in node.properties.items()}
            if has_uid:
                table["uid"] = _text_walk("types.UID")
            tables.append((table, decoder(node.extra) if node.extra else None))
        table, others = tables[0]
        inner_owner = struct or owner
        for name, item in value.items():
            check = table.get(name, others)
            if check is not None:
                if embedded and name not in own:
                    name = f"{embedded}.{name}"  # noqa: PLW2901 - as Go calls it
                # A map's keys are no part of the path, the fields of a struct are.
                problem = check(item, (f"{path}.{name}" if path else name) if is_struct else path, inner_owner)
                if problem:
                    return problem
        return None

    return walk


def _list_walk(node: Node) -> Decoder:
    go_type = _go_type(node)
    inner: list[Decoder | None] = []

    def walk(value: Any, path: str, owner: str) -> str | None:
        if type(value) is not list:
            return None if value is None else mismatch(value, path, owner, go_type)
        if not inner:
            inner.append(decoder(node.items) if node.items else None)
        check = inner[0]
        if check is not None:
            for item in value:
                problem = check(item, path, owner)
                if problem:
                    return problem
        return None

    return walk


def _schema_walk(node: Node, other: str) -> Decoder:
    """Return the check of a CRD's schema that may be something else, too."""

    def walk(value: Any, path: str, owner: str) -> str | None:
        check = decoder(node.schema)
        assert check is not None, "a schema is a struct"
        if type(value) is dict:
            return check(value, path, owner)
        if other == "Bool":
            return None if value is None or type(value) is bool else "boolean or JSON schema expected"
        found = (check(item, path, owner) for item in value) if type(value) is list and other == "Array" else ()
        return next(filter(None, found), None)

    return walk


def _scalar_walk(node: Node) -> Decoder:
    kind, form, go_type = node.raw.get("type"), node.raw.get("format", ""), _go_type(node)
    if form == "int-or-string" or node.raw.get("x-kubernetes-int-or-string"):
        return _int_or_string
    if kind == "string":
        strings = {"byte": _byte, "date-time": _time}
        return strings.get(form, _text_walk(go_type))
    if kind == "boolean":
        return lambda value, path, owner: (
            None if value is None or type(value) is bool else mismatch(value, path, owner, "bool")
        )
    limit = _LIMITS.get(form, 2**63)

    def walk(value: Any, path: str, owner: str) -> str | None:
        if type(value) is int and kind != "number":
            return None if -limit <= value < limit else mismatch(value, path, owner, go_type, literal=True)
        if value is None or (kind == "number" and type(value) in (int, float)):
            return None
        return mismatch(value, path, owner, go_type, literal=type(value) is float)

    return walk


def _text_walk(go_type: str) -> Decoder:
    def walk(value: Any, path: str, owner: str) -> str | None:
        return None if type(value) is str or value is None else mismatch(value, path, owner, go_type)

    return walk


def _quantity(value: Any, _path: str, _owner: str) -> str | None:
    if value is None or type(value) in (int, float):
        return None
    if type(value) is not str:
        return quantity.WRONG_FORMAT
    if not _PLAIN_QUANTITY.fullmatch(value):
        try:
            quantity.parse(value)
        except quantity.QuantityError as error:
            return str(error)
    return None


def _int_or_string(value: Any, _path: str, _owner: str) -> str | None:
    if value is None or type(value) in (int, str):
        return None
    return f"json: cannot unmarshal {json_type(value)} into Go value of type int32"


def _byte(value: Any, path: str, owner: str) -> str | None:
    if value is None:
        return None
    if type(value) is not str:
        return mismatch(value, path, owner, "[]uint8")
    try:
        base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return f"illegal base64 data at input byte {_bad_byte(value)}"
    return None


def _bad_byte(value: str) -> int:
    """Return where a Go decoder stops reading base64."""
    bad = re.search(r"[^A-Za-z0-9+/\r\n]", value)
    if bad and bad.group() != "=":
        return bad.start()
    return len(value) // 4 * 4


def _time(value: Any, path: str, owner: str) -> str | None:
    if value is None:
        return None
    if type(value) is not str:
        return f"json: cannot unmarshal {json_type(value)} into Go value of type string"
    if value and not _TIME_PATTERN.match(value):
        layout = "2006-01-02T15:04:05.000000Z07:00" if "Micro" in owner else "2006-01-02T15:04:05Z07:00"
        return f'parsing time {json.dumps(value)} as "{layout}": cannot parse {json.dumps(value)} as "2006"'
    return None


def mismatch(value: Any, path: str, owner: str, go_type: str, *, literal: bool = False) -> str:
    """Return the decoder's sentence; ``literal`` adds the number that does not fit."""
    given = json_type(value)
    if literal:
        given = f"{given} {json.dumps(value)}"
    target = f"Go struct field {owner}.{path}" if owner and path else "Go value"
    return f"json: cannot unmarshal {given} into {target} of type {go_type}"


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _go_type(node: Node | None) -> str:
    """Return what Go calls the type: ``v1.Container``, ``[]v1.Container``, ``map[string]string``, ``int32``."""
    if node is None:
        return "interface {}"
    if node.kind == LIST:
        return f"[]{_go_type(node.items)}"
    if node.name and node.kind == MAP:
        return ".".join(node.name.split(".")[-2:])
    if node.kind == MAP:
        return f"map[string]{_go_type(node.extra)}"
    kind, form = node.raw.get("type", ""), node.raw.get("format", "")
    if kind == "integer":
        return form or "int64"
    return {"boolean": "bool", "number": "float64", "string": "[]uint8" if form == "byte" else "string"}.get(
        kind, "interface {}"
    )
