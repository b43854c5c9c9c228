"""
The paths of a resource in OpenAPI documents: what can be called, with which parameters.

Source: k8s.io/apiserver/pkg/endpoints/installer.go; names of operations as Kubernetes makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.discovery import subresources_of
from fairlead_control_plane.kinds.record import Resource, Version

_STRATEGIC = "application/strategic-merge-patch+json"
_PATCHES = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_ANSWERS = ("application/json", "application/yaml")
_TYPES = {
    "allowWatchBookmarks": "boolean",
    "force": "boolean",
    "gracePeriodSeconds": "integer",
    "limit": "integer",
    "orphanDependents": "boolean",
    "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer",
    "watch": "boolean",
}
_LIST = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_PATCH = (*_WRITE, "force")
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_STATUS = f"{facts.META}.Status"
_OPTIONS = f"{facts.META}.DeleteOptions"
# verb: (method, action, parameters, body, answer codes)
_COLLECTION_VERBS = ("list", "create", "deletecollection")
_ITEM_VERBS = ("get", "update", "patch", "delete")
_METHODS = {
    "list": ("get", "list", _LIST),
    "create": ("post", "post", _WRITE),
    "deletecollection": ("delete", "deletecollection", (*_DELETE, *_LIST)),
    "get": ("get", "get", ()),
    "update": ("put", "put", _WRITE),
    "patch": ("patch", "patch", _PATCH),
    "delete": ("delete", "delete", _DELETE),
}
_OPERATION_NAMES = {"list": "list", "create": "create", "get": "read", "update": "replace", "patch": "patch",
                    "delete": "delete", "deletecollection": "deleteCollection"}  # fmt: skip
_CODES = {"create": ("200", "201", "202"), "update": ("200", "201"), "patch": ("200", "201"), "delete": ("200", "202")}


class _Writer:
    """Writes the path items of one resource."""

    def __init__(self, resource: Resource, version: Version, name: str, list_name: str) -> None:
        self._resource, self._version = resource, version
        self._name, self._list_name = name, list_name
        group = resource.group
        self._root = f"/apis/{group}/{version.name}" if group else f"/api/{version.name}"
        self._tag = f"{group.split('.')[0] or 'core'}_{version.name}"
        shown = (group.removesuffix(".k8s.io") or "core").split(".")
        self._prefix = "".join(part[:1].upper() + part[1:] for part in shown) + version.name.capitalize()

    def paths(self) -> JsonObject:
        plural, verbs = self._resource.plural, self._resource.strategy.verbs
        inside = "/namespaces/{namespace}" if self._resource.namespaced else ""
        collection = f"{self._root}{inside}/{plural}"
        found = {
            collection: self._item(
                (verb for verb in _COLLECTION_VERBS if verb in verbs), ("namespace",) if inside else ()
            ),
        }
        item = [verb for verb in _ITEM_VERBS if verb in verbs]
        names = ("name", "namespace") if inside else ("name",)
        if item:
            found[f"{collection}/{{name}}"] = self._item(item, names)
        if inside and "list" in verbs:
            found[f"{self._root}/{plural}"] = self._item(["list"], (), scope="ForAllNamespaces")
        for sub in subresources_of(self._resource, self._version):
            path = f"{collection}/{{name}}/{sub['name']}"
            listed = [verb for verb in (*_ITEM_VERBS, "create") if verb in sub["verbs"]]
            found[path] = self._item(listed, names, sub=sub)
        return {path: value for path, value in found.items() if len(value) > 1 or "parameters" not in value}

    def _item(
        self, verbs: Iterable[str], names: Sequence[str], *, scope: str = "", sub: JsonObject | None = None
    ) -> JsonObject:
        item: JsonObject = {_METHODS[verb][0]: self._operation(verb, scope, sub) for verb in verbs}
        item["parameters"] = [_path_parameter(name) for name in names] + [_query("pretty")]
        return item

    def _operation(self, verb: str, scope: str, sub: JsonObject | None) -> JsonObject:
        _, action, parameters = _METHODS[verb]
        target = self._target(verb, sub)
        kind = sub or {"group": self._resource.group, "version": self._version.name, "kind": self._resource.kind}
        operation: JsonObject = {
            "tags": [self._tag],
            "operationId": self._operation_id(verb, scope, sub),
            "responses": _responses(verb, target),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {key: kind[key] for key in ("group", "version", "kind")},
        }
        if parameters:
            operation["parameters"] = [_query(name) for name in parameters]
        if body := self._body(verb, target):
            operation["requestBody"] = body
        return operation

    def _target(self, verb: str, sub: JsonObject | None) -> str:
        """Return the definition of what is answered."""
        if verb == "list":
            return self._list_name
        if verb in {"delete", "deletecollection"}:
            return _STATUS
        if sub is not None and sub["kind"] != self._resource.kind:
            try:
                return facts.definition_name(sub["group"], sub["version"], sub["kind"])
            except KeyError:
                return _STATUS
        return self._name

    def _body(self, verb: str, target: str) -> JsonObject | None:
        if verb in {"create", "update"}:
            return _content(("*/*",), target)
        if verb in {"delete", "deletecollection"}:
            return _content(("*/*",), _OPTIONS, required=False)
        if verb == "patch":
            forms = _PATCHES if self._version.open_api else (*_PATCHES, _STRATEGIC)
            return _content(forms, f"{facts.META}.Patch")
        return None

    def _operation_id(self, verb: str, scope: str, sub: JsonObject | None) -> str:
        inside = "Namespaced" if self._resource.namespaced and not scope else ""
        middle = f"Collection{inside}" if verb == "deletecollection" else inside
        start = "delete" if verb == "deletecollection" else _OPERATION_NAMES[verb]
        end = "".join(part.capitalize() for part in sub["name"].split("/")) if sub else ""
        return f"{start}{self._prefix}{middle}{self._resource.kind}{end}{scope}"


def paths_of(resource: Resource, version: Version, name: str, list_name: str) -> JsonObject:
    """
    Return the v3 path items of a resource.

    Args:
        name, list_name: Definitions of its kind and of its lists; ``list_name`` empty when it cannot be listed.
    """
    return _Writer(resource, version, name, list_name).paths()


def _query(name: str) -> JsonObject:
    return {"name": name, "in": "query", "schema": {"type": _TYPES.get(name, "string"), "uniqueItems": True}}


def _path_parameter(name: str) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}


def _content(forms: Sequence[str], definition: str, *, required: bool = True) -> JsonObject:
    body: JsonObject = {"content": {form: {"schema": {"$ref": facts.REFERENCE + definition}} for form in forms}}
    return {**body, "required": True} if required else body


def _responses(verb: str, target: str) -> JsonObject:
    texts = {"200": "OK", "201": "Created", "202": "Accepted"}
    content = {form: {"schema": {"$ref": facts.REFERENCE + target}} for form in _ANSWERS}
    answers: JsonObject = {
        code: {"description": texts[code], "content": content} for code in _CODES.get(verb, ("200",))
    }
    return {**answers, "401": {"description": "Unauthorized"}}
