"""
ConfigMaps and Secrets.

Source: k8s.io/kubernetes/pkg/apis/core/validation (ValidateConfigMap, ValidateSecret), pkg/registry/core/secret.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.key_pairs import pair_error
from fairlead_control_plane.kinds.strategies.metadata import immutable

MAX_DATA_BYTES = 1024 * 1024
_GO_KINDS = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
_SYNTAX = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name": "looking for beginning of object key string",
    "Illegal trailing comma": "looking for beginning of object key string",
    "Expecting ':'": "after object key",
    "Expecting ','": "after object key:value pair",
    "Extra data": "after top-level value",
    "Invalid \\escape": "in string escape code",
}
_FROZEN = "field is immutable when `immutable` is set"
_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_DATA_KEYS = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}


def _prepare(obj: JsonObject) -> None:
    normalise(obj)


def _prepare_secret(obj: JsonObject) -> None:
    """Move ``stringData``, which is write-only, into ``data``; a Secret without a type is Opaque."""
    texts = obj.pop("stringData", None)
    if texts:
        data = obj.setdefault("data", {})
        for key, value in texts.items():
            data[key] = base64.b64encode(value.encode()).decode()
    if not obj.get("type"):
        obj["type"] = "Opaque"
    normalise(obj)


def _config_map(obj: JsonObject) -> list[Cause]:
    data: Mapping[str, str] = obj.get("data") or {}
    binary: Mapping[str, str] = obj.get("binaryData") or {}
    causes: list[Cause] = []
    for key in data:
        causes += _key(f"data[{key}]", key)
        if key in binary:
            causes.append(wrong.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    for key in binary:
        causes += _key(f"binaryData[{key}]", key)
    size = sum(len(value.encode()) for value in data.values()) + sum(_decoded_length(v) for v in binary.values())
    if size > MAX_DATA_BYTES:
        causes.append(wrong.too_long("", MAX_DATA_BYTES))
    return causes


def _key(path: str, key: str) -> list[Cause]:
    return [wrong.invalid(path, key, text) for text in validation.config_map_key(key)]


def _decoded_length(text: str) -> int:
    return len(text) * 3 // 4 - text.count("=")


def _frozen(*fields: str) -> Callable[[JsonObject, JsonObject], list[Cause]]:
    """Refuse changes of an object that says it is immutable."""

    def validate(new: JsonObject, old: JsonObject) -> list[Cause]:
        if not old.get("immutable"):
            return []
        causes = [] if new.get("immutable") else [wrong.forbidden("immutable", _FROZEN)]
        return causes + [wrong.forbidden(field, _FROZEN) for field in fields if new.get(field) != old.get(field)]

    return validate


def _secret(obj: JsonObject) -> list[Cause]:
    data: Mapping[str, str] = obj.get("data") or {}
    causes = [cause for key in data for cause in _key(f"data[{key}]", key)]
    if sum(_decoded_length(value) for value in data.values()) > MAX_DATA_BYTES:
        causes.append(wrong.too_long("data", MAX_DATA_BYTES))
    return causes + _content(obj, obj.get("type", ""), data)


def _content(obj: JsonObject, kind: str, data: Mapping[str, str]) -> list[Cause]:
    """Check that a Secret of a known type holds what that type promises."""
    if kind == "kubernetes.io/service-account-token":
        named = (obj["metadata"].get("annotations") or {}).get(_ACCOUNT_NAME)
        return [] if named else [wrong.required(f"metadata.annotations[{_ACCOUNT_NAME}]")]
    if kind in _DATA_KEYS:
        return _json_data(_DATA_KEYS[kind], data)
    if kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        return [wrong.required("data[username]"), wrong.required("data[password]")]
    if kind == "kubernetes.io/ssh-auth" and not data.get("ssh-privatekey"):
        return [wrong.required("data[ssh-privatekey]")]
    if kind == "kubernetes.io/tls":
        return [wrong.required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]
    return []


def _json_data(key: str, data: Mapping[str, str]) -> list[Cause]:
    if key not in data:
        return [wrong.required(f"data[{key}]")]
    text = _object_error(base64.b64decode(data[key]).decode("utf-8", "replace"))
    return [wrong.invalid(f"data[{key}]", "<secret contents redacted>", text)] if text else []


def _object_error(content: str) -> str:
    """Return why a text is no JSON object, as Go's decoder says it; ``""`` if it is one."""
    try:
        value = json.loads(content)
    except json.JSONDecodeError as error:
        return _syntax_error(error, content)
    if value is None or isinstance(value, dict):
        return ""
    return f"json: cannot unmarshal {_GO_KINDS[type(value)]} into Go value of type map[string]interface {{}}"


def _syntax_error(error: json.JSONDecodeError, content: str) -> str:
    at = error.pos + (error.msg == "Invalid \\escape")
    if at >= len(content.rstrip()) or error.msg.startswith("Unterminated"):
        return "unexpected end of JSON input"
    where = next((text for start, text in _SYNTAX.items() if error.msg.startswith(start)), "in string literal")
    character = content[at]
    shown = {"'": "\\'", '"': '"'}.get(character) or wrong.quoted(character)[1:-1]
    return f"invalid character '{shown}' {where}"


def _warn_of_secret(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    if new.get("type") != "kubernetes.io/tls":
        return []
    data = new.get("data") or {}
    certificate, private = (base64.b64decode(data.get(key) or "") for key in ("tls.crt", "tls.key"))
    text = pair_error(certificate, private)
    return [text] if text else []


def _prepare_secret_update(new: JsonObject, old: JsonObject) -> None:
    # Clients that never knew the type must not be refused for leaving it out.
    if not new.get("type"):
        new["type"] = old.get("type", "Opaque")
    _prepare_secret(new)


def _secret_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = immutable(new.get("type"), old.get("type"), "type")
    return [*causes, *_frozen("data")(new, old)]


CONFIG_MAP = Strategy(
    prepare_create=_prepare,
    prepare_update=lambda new, old: _prepare(new),
    validate=_config_map,
    validate_update=_frozen("data", "binaryData"),
)
SECRET = Strategy(
    prepare_create=_prepare_secret,
    prepare_update=_prepare_secret_update,
    warn=_warn_of_secret,
    validate=_secret,
    validate_update=_secret_update,
)
