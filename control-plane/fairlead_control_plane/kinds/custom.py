"""
Resources that somebody defined: CRDs of a workspace, and APIResourceSchemas that came by a binding.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver (customresource_handler.go), kcp apis.kcp.io/v1alpha1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.builtin import as_api_resource_schema, builtin_resource
from fairlead_control_plane.kinds.custom_content import finalizer_warnings
from fairlead_control_plane.kinds.discovery import version_priority
from fairlead_control_plane.kinds.record import Column, ConversionWebhook, Resource, ScalePaths, Strategy, Version

if TYPE_CHECKING:
    from fairlead_schema.structural import Content, Structural

_DESCRIPTION = "Custom resource definition column (in JSONPath format): "
_OPEN: JsonObject = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def resource_from_crd(crd: JsonObject) -> Resource:
    """
    Return the record of a CustomResourceDefinition (apiextensions.k8s.io/v1).

    Names are the accepted ones where ``status`` has them, else those asked for. The CRD named ``<plural>.core`` of
    group ``""`` defines a core kind, as kcp allows.
    """
    spec, metadata = crd["spec"], crd["metadata"]
    accepted = (crd.get("status") or {}).get("acceptedNames") or {}
    names = accepted if accepted.get("plural") else spec["names"]
    schemas = [_schema_of(version) for version in spec["versions"]]
    resource = _resource(spec, names, schemas, owner=metadata.get("uid", ""))
    since, is_leaving = int(metadata.get("resourceVersion") or 0), "deletionTimestamp" in metadata
    return _converting(replace(resource, since=since, is_leaving=is_leaving), spec.get("conversion") or {})


def _converting(resource: Resource, conversion: JsonObject) -> Resource:
    """Return a record with what its definition says of conversion."""
    webhook = conversion.get("webhook") or {}
    client = webhook.get("clientConfig") or {}
    if conversion.get("strategy") != "Webhook" or not client:
        return resource
    service = client.get("service") or {}
    url = client.get("url") or (
        f"https://{service.get('name')}.{service.get('namespace')}.svc:{service.get('port', 443)}"
        f"{service.get('path') or '/'}"
    )
    versions = tuple(one if one.storage else replace(one, is_as_stored=False) for one in resource.versions)
    reviews = tuple(webhook.get("conversionReviewVersions") or ())
    return replace(resource, versions=versions, converter=ConversionWebhook(url, client.get("caBundle") or "", reviews))


def _schema_of(version: JsonObject) -> JsonObject:
    schema: JsonObject = (version.get("schema") or {}).get("openAPIV3Schema") or _OPEN
    return schema


def resource_from_schema(schema: JsonObject, identity: str, binding_name: str) -> Resource:
    """
    Return the record of an APIResourceSchema (apis.kcp.io/v1alpha1) bound under an identity.

    A schema that is word for word a built-in kind's keeps that kind's rules: strategy, columns, short names,
    selectable fields, compiled schema. Another one under the same names is a kind of its provider's own.

    Args:
        binding_name: Becomes ``owner``: the export as ``<cluster>/<name>``, the same for all who bind it.
    """
    spec = schema["spec"]
    resource = _resource(
        spec, spec["names"], [version.get("schema") or _OPEN for version in spec["versions"]], owner=binding_name
    )
    resource = replace(resource, identity=identity, origin="bound")
    builtin = builtin_resource(resource.group, resource.plural)
    if builtin is None or not _is_schema_of(builtin, spec):
        return resource
    versions = tuple(_as_builtin(version, builtin) for version in resource.versions)
    return replace(
        resource,
        versions=versions,
        strategy=builtin.strategy,
        short_names=builtin.short_names,
        categories=builtin.categories,
        singular=builtin.singular,
        list_kind=builtin.list_kind,
        stored_as=builtin.stored_as,
    )


def _is_schema_of(builtin: Resource, spec: JsonObject) -> bool:
    """Tell whether a schema was made of a built-in kind, by all that decides what its objects look like."""
    own = _own_spec(builtin.group, builtin.plural)
    return spec["scope"] == own["scope"] and spec["names"]["kind"] == builtin.kind and _schemas(spec) == _schemas(own)


def _schemas(spec: JsonObject) -> dict[str, object]:
    return {version["name"]: version.get("schema") for version in spec["versions"]}


@cache
def _own_spec(group: str, plural: str) -> JsonObject:
    builtin = builtin_resource(group, plural)
    assert builtin is not None, "asked only for built-in kinds"
    spec: JsonObject = as_api_resource_schema(builtin, "own")["spec"]
    return spec


def _as_builtin(version: Version, builtin: Resource) -> Version:
    known = builtin.version(version.name)
    return version if known is None else replace(known, served=version.served, storage=version.storage)


def _resource(spec: JsonObject, names: Mapping[str, Any], schemas: list[JsonObject], *, owner: str) -> Resource:
    group, kind = spec.get("group") or "", names["kind"]
    versions = tuple(
        _version(version, schema, _deprecation(version, spec["versions"], group, kind))
        for version, schema in zip(spec["versions"], schemas, strict=True)
    )
    stored = next((version.open_api for version in versions if version.storage), {})
    versions = tuple(
        version if version.open_api == stored else replace(version, is_as_stored=False) for version in versions
    )
    has_status = any("status" in version.subresources for version in versions)
    return Resource(
        group=group,
        plural=names["plural"],
        kind=kind,
        versions=versions,
        namespaced=spec.get("scope") == "Namespaced",
        singular=names.get("singular") or kind.lower(),
        list_kind=names.get("listKind") or f"{kind}List",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        origin="crd",
        owner=owner,
        strategy=custom_strategy(has_status=has_status),
    )


def _deprecation(version: JsonObject, versions: Sequence[JsonObject], group: str, kind: str) -> str:
    """Return what to warn the users of a version with: by default that there is a better one, if there is."""
    if not version.get("deprecated") or version.get("deprecationWarning"):
        return version.get("deprecationWarning") or ""
    text = f"{group}/{version['name']} {kind} is deprecated"
    known = [one["name"] for one in versions if one.get("served") and not one.get("deprecated")]
    newer = [name for name in known if version_priority(name) < version_priority(version["name"])]
    return f"{text}; use {group}/{min(newer, key=version_priority)} {kind}" if newer else text


def _version(version: JsonObject, schema: JsonObject, warning: str) -> Version:
    subresources = version.get("subresources") or {}
    scale = subresources.get("scale")
    return Version(
        name=version["name"],
        schema=compiled(schema),
        open_api=schema,
        served=bool(version.get("served")),
        storage=bool(version.get("storage")),
        subresources=frozenset(name for name in ("status", "scale") if subresources.get(name) is not None),
        scale=_scale(scale) if scale else None,
        columns=tuple(_column(column) for column in version.get("additionalPrinterColumns") or ()),
        selectable=tuple(field["jsonPath"] for field in version.get("selectableFields") or ()),
        deprecated=bool(version.get("deprecated")),
        deprecation_warning=warning,
    )


def compiled(schema: JsonObject) -> Callable[[], Structural]:
    """Return a function that compiles a schema when it is first needed; equal schemas share the result."""
    content: Content | None = None

    def compile_() -> Structural:
        nonlocal content
        from fairlead_schema import structural  # noqa: PLC0415 - idle workspaces compile nothing

        content = content or structural.Content(schema)
        return structural.compile_schema(content)

    return compile_


def _scale(scale: JsonObject) -> ScalePaths:
    return ScalePaths(scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath") or "")


def _column(column: JsonObject) -> Column:
    return Column(
        name=column["name"],
        type=column["type"],
        format=column.get("format") or "",
        description=column.get("description") or f"{_DESCRIPTION}{column['jsonPath']}",
        priority=column.get("priority") or 0,
        json_path=column["jsonPath"],
    )


def custom_strategy(*, has_status: bool) -> Strategy:
    """Return the strategy of custom resources: status apart where it is a subresource, generation by content."""
    kept = frozenset({"metadata", "status"} if has_status else {"metadata"})

    def prepare_create(obj: JsonObject) -> None:
        if has_status:
            obj.pop("status", None)

    return Strategy(
        prepare_create=prepare_create,
        warn=finalizer_warnings,
        generation_of=lambda obj: {key: value for key, value in obj.items() if key not in kept},
    )
