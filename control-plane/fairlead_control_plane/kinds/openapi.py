"""
OpenAPI documents of what is served: v3 by group version, and v2 in one.

kubectl reads them to apply (merge keys, field validation) and to explain. Documents are made when first asked for and
shared by content: workspaces with the same kinds have the same bytes.

Source: k8s.io/kube-openapi (handler, handler3), k8s.io/apiserver/pkg/endpoints/installer.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts, openapi_protobuf
from fairlead_control_plane.kinds.discovery import group_versions
from fairlead_control_plane.kinds.openapi_custom import custom_schemas
from fairlead_control_plane.kinds.openapi_paths import paths_of
from fairlead_control_plane.kinds.openapi_texts import described
from fairlead_control_plane.kinds.record import Resource, Version
from fairlead_schema.defaulting import POINTER

Served = Sequence[tuple[Resource, Version]]

_ALWAYS = tuple(f"{facts.META}.{name}" for name in ("Status", "DeleteOptions", "Patch", "WatchEvent", "ObjectMeta"))
_V2_REFERENCE = "#/definitions/"
_V2_DROPPED = frozenset({"oneOf", "anyOf", "not", "nullable", "x-kubernetes-validations", "default"})
_SECURITY = {
    "BearerToken": {
        "type": "apiKey",
        "description": "Bearer Token authentication",
        "name": "authorization",
        "in": "header",
    }
}
_KEPT_DOCUMENTS = 128
_kept: dict[str, bytes] = {}


class OpenApi:
    """
    The documents of one set of resources.

    Cheap to make; the documents are kept by fingerprints of what they describe.
    """

    def __init__(self, resources: Sequence[Resource]) -> None:
        """Take all resources of a logical cluster."""
        self._resources = tuple(resources)
        self._by_path: dict[str, tuple[str, str]] = {}
        for group, versions in group_versions(self._resources).items():
            for name in versions:
                self._by_path[f"apis/{group}/{name}" if group else f"api/{name}"] = (group, name)

    def index(self) -> bytes:
        """Return ``/openapi/v3``: a URL with its content's hash for each group version."""
        paths = {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={self._fingerprint(*key)}"}
            for path, key in sorted(self._by_path.items())
        }
        return orjson.dumps({"paths": paths})

    def v3(self, path: str) -> tuple[bytes, str] | None:
        """Return body and ETag of ``/openapi/v3/<path>`` (``apis/apps/v1``); None when it is not served."""
        key = self._by_path.get(path)
        if key is None:
            return None
        fingerprint = self._fingerprint(*key)
        body = _kept.get(fingerprint) or _keep(fingerprint, v3_document(self._served(*key)))
        return body, f'"{fingerprint}"'

    def v2(self, *, protobuf: bool = False) -> tuple[bytes, str]:
        """Return body and ETag of ``/openapi/v2``, as JSON or as protobuf."""
        keys = list(self._by_path.values())
        text = ",".join(self._fingerprint(*key) for key in keys)
        fingerprint = hashlib.sha512(f"v2:{protobuf}:{text}".encode()).hexdigest().upper()
        body = _kept.get(fingerprint)
        if body is None:
            served = [pair for key in keys for pair in self._served(*key)]
            encode = openapi_protobuf.encode if protobuf else orjson.dumps
            body = _keep(fingerprint, v2_document(served), encode)
        return body, f'"{fingerprint}"'

    def _served(self, group: str, version: str) -> list[tuple[Resource, Version]]:
        found = ((one, one.version(version)) for one in self._resources if one.group == group)
        return [(resource, version_) for resource, version_ in found if version_ is not None]

    def _fingerprint(self, group: str, version: str) -> str:
        # Two versions of a kind may be told apart by nothing else.
        digest = hashlib.sha512(f"{group}/{version} {facts.manifest()['definitions.json']}".encode())
        for resource, found in self._served(group, version):
            names = (resource.plural, resource.kind, resource.list_kind, resource.namespaced, resource.origin)
            digest.update(repr((names, sorted(found.subresources), sorted(resource.strategy.verbs))).encode())
            digest.update(orjson.dumps([found.open_api, found.selectable]))
        return digest.hexdigest().upper()


def _keep(fingerprint: str, document: JsonObject, encode: Callable[[JsonObject], bytes] = orjson.dumps) -> bytes:
    while len(_kept) >= _KEPT_DOCUMENTS:
        del _kept[next(iter(_kept))]
    body = _kept[fingerprint] = encode(document)
    return body


def v3_document(served: Served) -> JsonObject:
    """Return the OpenAPI v3 document of the resources of one group version."""
    schemas = _schemas(served, v2=False)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": facts.manifest()["kubernetes"]},
        "paths": _paths(served),
        "components": {
            "schemas": {name: _wrapped(schema) for name, schema in schemas.items()},
            "securitySchemes": _SECURITY,
        },
    }


def v2_document(served: Served) -> JsonObject:
    """Return the OpenAPI v2 document of all resources."""
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": facts.manifest()["kubernetes"]},
        "paths": {path: _v2_path(item) for path, item in _paths(served).items()},
        "definitions": {name: _v2(schema) for name, schema in _schemas(served, v2=True).items()},
        "securityDefinitions": _SECURITY,
        "security": [{"BearerToken": []}],
    }


def schema_name(resource: Resource, version: Version) -> str:
    """Return the definition's name of a resource's kind: Kubernetes' own, else the group reversed."""
    if not version.open_api:
        return facts.definition_name(resource.group, version.name, resource.kind)
    group = ".".join(reversed(resource.group.split("."))) if resource.group else "core"
    return f"{group}.{version.name}.{resource.kind}"


def _list_name(resource: Resource, version: Version) -> str:
    own = schema_name(resource, version)
    return own.removesuffix(resource.kind) + (resource.list_kind or f"{resource.kind}List")


def _paths(served: Served) -> JsonObject:
    paths: JsonObject = {}
    for resource, version in served:
        list_name = _list_name(resource, version) if "list" in resource.strategy.verbs else ""
        paths.update(paths_of(resource, version, schema_name(resource, version), list_name))
    return dict(sorted(paths.items()))


def _schemas(served: Served, *, v2: bool) -> dict[str, JsonObject]:
    """Return all definitions that the resources and their paths refer to, by name in order."""
    found: dict[str, JsonObject] = {}
    todo = list(_ALWAYS)
    for resource, version in served:
        if version.open_api:
            names = (schema_name(resource, version), _list_name(resource, version))
            found.update(custom_schemas(resource, version, *names, v2=v2))
            todo += [f"{facts.META}.ListMeta"]
        else:
            todo.append(schema_name(resource, version))
            todo += [name for name in (_list_name(resource, version),) if name in facts.definitions()]
        if version.scale is not None:
            todo.append("io.k8s.api.autoscaling.v1.Scale")
        if "token" in version.subresources:
            todo.append("io.k8s.api.authentication.v1.TokenRequest")
        if "eviction" in version.subresources:
            todo.append("io.k8s.api.policy.v1.Eviction")
        if "binding" in version.subresources:
            todo.append("io.k8s.api.core.v1.Binding")
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = described(name, facts.definitions()[name])
            todo += list(_references(found[name]))
    return dict(sorted(found.items()))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item.removeprefix(facts.REFERENCE)
            elif key not in {"default", "enum"}:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _wrapped(schema: Any) -> Any:
    """Put a ``$ref`` that has siblings into ``allOf``: OpenAPI 3.0 ignores what stands beside a reference."""
    if isinstance(schema, list):
        return [_wrapped(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str) and len(schema) > 1:
        rest = {key: value for key, value in schema.items() if key not in {"$ref", POINTER}}
        return {**rest, "allOf": [{"$ref": schema["$ref"]}]}
    return {key: _wrapped(value) for key, value in schema.items() if key != POINTER}


def _v2(schema: Any, *, is_properties: bool = False) -> Any:
    """Return a schema in OpenAPI v2, which knows less."""
    if isinstance(schema, list):
        return [_v2(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if is_properties:
        return {name: _v2(child) for name, child in schema.items()}
    if isinstance(schema.get("$ref"), str):
        extensions = {
            key: value for key, value in schema.items() if key == "description" or (key[:2] == "x-" and key != POINTER)
        }
        return {"$ref": schema["$ref"].replace(facts.REFERENCE, _V2_REFERENCE), **extensions}
    result = {
        key: _v2(value, is_properties=key == "properties") for key, value in schema.items() if key not in _V2_DROPPED
    }
    if "oneOf" in schema and "type" not in schema:
        result["type"] = "string"
    return result


def _v2_path(item: Mapping[str, Any]) -> JsonObject:
    result: JsonObject = {}
    for method, operation in item.items():
        if method == "parameters":
            result[method] = [_v2_parameter(one) for one in operation]
            continue
        parameters = [_v2_parameter(one) for one in operation.get("parameters", ())]
        body = operation.get("requestBody")
        converted = {key: value for key, value in operation.items() if key not in {"requestBody", "parameters"}}
        if body:
            consumes = list(body["content"])
            schema = _v2(body["content"][consumes[0]]["schema"])
            parameters.insert(0, {"name": "body", "in": "body", "required": True, "schema": schema})
            converted["consumes"] = consumes
        converted["parameters"] = parameters
        converted["produces"] = ["application/json", "application/yaml"]
        converted["responses"] = {code: _v2_answer(one) for code, one in operation["responses"].items()}
        result[method] = converted
    return result


def _v2_answer(answer: JsonObject) -> JsonObject:
    content = answer.get("content")
    plain: JsonObject = {"description": answer["description"]}
    return {**plain, "schema": _v2(content["application/json"]["schema"])} if content else plain


def _v2_parameter(parameter: JsonObject) -> JsonObject:
    return {**{key: value for key, value in parameter.items() if key != "schema"}, **parameter["schema"]}
