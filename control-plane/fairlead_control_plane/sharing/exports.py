"""
APIExports: their identity, and what they offer to whoever binds them.

Source: kcp v0.11 ``apis.kcp.io/v1alpha1``; kcp-core 2.1, 2.2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.sharing import identity
from fairlead_control_plane.sharing.conditions import condition, merged
from fairlead_control_plane.sharing.objects import EXPORTS, NAMESPACES, SCHEMAS, SECRETS, Maker, namespace_with_content
from fairlead_control_plane.sharing.rows import CachedRows
from fairlead_control_plane.store.contract import Compare, Operation, Put, Row, Store

EXTRA_ANNOTATION_PREFIX = "extra.apis.kcp.io/"
REMOVED_SCHEMAS = "/meta/schemas/"
"""Schemas that were removed, by uid, as stored: who had bound them is still served (kcp keeps its bound CRD)."""

Resolve = Callable[[str], Awaitable[str | None]]
"""Path or name of a workspace to the name of an existing logical cluster."""


@dataclass(frozen=True, slots=True)
class SchemaSummary:
    """An APIResourceSchema without its schemas: enough to bind it and to tell conflicts."""

    name: str
    uid: str
    group: str
    plural: str
    singular: str
    kind: str
    list_kind: str
    short_names: tuple[str, ...]
    storage_version: str


@dataclass(frozen=True, slots=True)
class Offer:
    """
    What an export offers at one moment.

    Attributes:
        cluster, name: Where it is.
        revision: Of the export's row, to compare in the transaction that relies on it.
        identity: ``status.identityHash``; ``""`` while there is none.
        schemas: Those of ``latestResourceSchemas`` that exist.
        missing: Names of those that do not.
        claims: ``spec.permissionClaims`` as they are.
        extra: Annotations that go to every binding.
        local_policy: A maximal permission policy is set.
    """

    cluster: str
    name: str
    revision: int
    identity: str
    schemas: tuple[SchemaSummary, ...] = ()
    missing: tuple[str, ...] = ()
    claims: tuple[JsonObject, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    local_policy: bool = False


def summarize(obj: JsonObject) -> SchemaSummary:
    """Return the summary of an APIResourceSchema."""
    spec, names = obj["spec"], obj["spec"]["names"]
    storage = next((version["name"] for version in spec["versions"] if version.get("storage")), "")
    return SchemaSummary(
        name=obj["metadata"]["name"],
        uid=obj["metadata"]["uid"],
        group=spec.get("group", ""),
        plural=names["plural"],
        singular=names.get("singular", ""),
        kind=names["kind"],
        list_kind=names.get("listKind", ""),
        short_names=tuple(names.get("shortNames") or ()),
        storage_version=storage,
    )


class Exports:
    """
    Reads exports through two bounded caches: export rows as offers, schema rows as summaries.

    Args:
        store, maker: As everywhere.
        size: Most exports and most schemas kept.
    """

    def __init__(self, store: Store, maker: Maker, *, size: int = 1024) -> None:
        self._maker = maker
        self._exports = CachedRows(store, _offer, size=size)
        self._schemas = CachedRows(store, lambda row: summarize(encoding.decode(row)), size=size)

    async def offer(self, cluster: str, name: str) -> Offer | None:
        """Return what the export offers now, or None when there is no such export."""
        found = await self._exports.get(self._maker.key(EXPORTS, cluster, name))
        if found is None:
            return None
        bare, wanted = found
        schemas, missing = [], []
        for schema in wanted:
            summary = await self.schema(cluster, schema)
            if summary is None:
                missing.append(schema)
            else:
                schemas.append(summary)
        return Offer(
            bare.cluster, bare.name, bare.revision, bare.identity, tuple(schemas), tuple(missing),
            bare.claims, bare.extra, bare.local_policy,
        )  # fmt: skip

    async def schema(self, cluster: str, name: str) -> SchemaSummary | None:
        """Return the summary of a schema in a cluster."""
        return await self._schemas.get(self._maker.key(SCHEMAS, cluster, name))


def _offer(row: Row) -> tuple[Offer, tuple[str, ...]]:
    """Parse an export's row into an offer without schemas, and the names of its schemas."""
    obj: JsonObject = orjson.loads(memoryview(row.value)[4:])
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    offer = Offer(
        cluster=row.key.split("/")[4],
        name=metadata["name"],
        revision=row.mod_revision,
        identity=(obj.get("status") or {}).get("identityHash", ""),
        claims=tuple(spec.get("permissionClaims") or ()),
        extra=tuple((key, text) for key, text in annotations.items() if key.startswith(EXTRA_ANNOTATION_PREFIX)),
        local_policy=(spec.get("maximalPermissionPolicy") or {}).get("local") is not None,
    )
    return offer, tuple(spec.get("latestResourceSchemas") or ())


class ExportEffects:
    """
    Gives an export its identity in the transaction that creates it, and keeps removed schemas for who bound them.

    Args:
        store, maker: As everywhere.
        root_ca: PEM text for the ``kcp-system`` namespace's ``kube-root-ca.crt``.
    """

    def __init__(self, store: Store, maker: Maker, root_ca: str = "") -> None:
        self._store = store
        self._maker = maker
        self._root_ca = root_ca

    async def __call__(self, change: Change) -> Effect:
        """See :data:`fairlead_control_plane.kinds.change.Effects`."""
        kind = (change.resource.group, change.resource.plural)
        if kind == EXPORTS and change.new is not None and _identity_is_open(change.new, change.old):
            return await self.identify(change.cluster, change.new)
        if kind == SCHEMAS and change.new is None and change.old is not None:
            return Effect([Put(REMOVED_SCHEMAS + change.old["metadata"]["uid"], encoding.encode(change.old))])
        return Effect()

    async def identify(self, cluster: str, export: JsonObject) -> Effect:
        """
        Return the effect that gives ``export`` its identity: from the Secret it names, or from a new one.

        A Secret that exists under the default name is used again, so that an export made anew finds its data.
        """
        reference = ((export.get("spec") or {}).get("identity") or {}).get("secretRef")
        namespace = (reference or {}).get("namespace", identity.IDENTITY_NAMESPACE)
        name = (reference or {}).get("name", export["metadata"]["name"])
        secret_key = self._maker.key(SECRETS, cluster, name, namespace)
        row = await self._store.get(secret_key)
        compares = [Compare(secret_key, row.mod_revision if row else 0)]
        if row is not None:
            return Effect(
                (), compares, self._identified(export, namespace, name, identity.key_of(encoding.decode(row)))
            )
        if reference:
            return Effect((), compares, self._identified(export, namespace, name, ""))
        key = identity.new_key()
        operations: list[Operation] = [self._maker.create(SECRETS, cluster, identity.secret(name, key))]
        namespace_key = self._maker.key(NAMESPACES, cluster, identity.IDENTITY_NAMESPACE)
        if await self._store.get(namespace_key) is None:
            operations += namespace_with_content(self._maker, cluster, identity.IDENTITY_NAMESPACE, self._root_ca)
            compares.append(Compare(namespace_key, 0))
        return Effect(operations, compares, self._identified(export, namespace, name, key))

    def _identified(self, export: JsonObject, namespace: str, name: str, key: str) -> JsonObject:
        """Return the export with its identity and the condition that tells of it."""
        spec = {**(export.get("spec") or {}), "identity": {"secretRef": {"namespace": namespace, "name": name}}}
        status = dict(export.get("status") or {})
        if key:
            status["identityHash"] = identity.identity_hash(key)
            found = condition("IdentityValid", True)
        else:
            text = f"secret {namespace}/{name} does not exist or has no key {'key'!r}"
            found = condition("IdentityValid", False, reason="IdentityVerificationFailed", message=text)
        status["conditions"] = merged(status.get("conditions") or (), [found], self._maker.now())
        return {**export, "spec": spec, "status": status}


def _identity_is_open(new: JsonObject, old: JsonObject | None) -> bool:
    """Tell whether the export needs its identity (again): it is new, or its secret reference was changed."""
    if old is None:
        return True
    return ((new.get("spec") or {}).get("identity") or {}) != ((old.get("spec") or {}).get("identity") or {})
