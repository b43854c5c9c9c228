"""
APIBindings: what a binding gives, computed at once when it is created and again when its export changes.

Source: kcp v0.11 ``apis.kcp.io/v1alpha1``, the apibinding controller; kcp-core 2.3, 2.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.names import EXPORT_LABEL, default_binding_name, export_label_value
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.keys import range_prefix
from fairlead_control_plane.sharing.conditions import condition, merged, with_ready
from fairlead_control_plane.sharing.exports import Exports, Offer, Resolve, SchemaSummary
from fairlead_control_plane.sharing.objects import BINDINGS, CRDS, EXPORTS, Maker
from fairlead_control_plane.store.contract import Compare, Delete, Operation, Put, Store, prefix_end

FINALIZER = "apis.kcp.io/apibinding-finalizer"
API_LOCKS = "/meta/apis/"
"""``/meta/apis/<cluster>``: rewritten by whatever adds an API to a workspace, so that two at once meet."""

_READY_PARTS = ("APIExportValid", "InitialBindingCompleted", "PermissionClaimsValid", "PermissionClaimsApplied")


@dataclass(frozen=True, slots=True)
class Taken:
    """Names that an API of the workspace holds; ``holder`` says which, in a user's words."""

    group: str
    plural: str
    names: frozenset[str]
    kinds: frozenset[str]
    holder: str

    def conflict(self, schema: SchemaSummary) -> str:
        """Return what of ``schema`` this holds already, ``""`` for nothing."""
        if schema.group != self.group:
            return ""
        names = {schema.plural, schema.singular, *schema.short_names} & self.names
        kinds = {schema.kind, schema.list_kind} & self.kinds
        clash = sorted(name for name in names | kinds if name)
        if not clash:
            return ""
        return (
            f"{schema.plural}.{schema.group or 'core'} conflicts with {self.holder}: {', '.join(clash)} already in use"
        )


def taken_by(schema: SchemaSummary, holder: str) -> Taken:
    """Return the names a schema holds once bound."""
    return Taken(
        schema.group,
        schema.plural,
        frozenset(name for name in (schema.plural, schema.singular, *schema.short_names) if name),
        frozenset(name for name in (schema.kind, schema.list_kind) if name),
        holder,
    )


def status_of(binding: JsonObject, offer: Offer | None, taken: Sequence[Taken], now: str) -> JsonObject:
    """
    Compute ``status`` of an APIBinding.

    Args:
        binding: With its current status, whose transition times and storage versions are kept; not changed.
        offer: What the export offers; None when it is gone or cannot be seen (what is bound then stays bound).
        taken: Names that other APIs of the same workspace hold.
        now: RFC 3339.

    Returns:
        A new status; equal to the current one when nothing changed.
    """
    status = dict(binding.get("status") or {})
    said = _validity(binding, offer)
    bound = list(status.get("boundResources") or ())
    if offer is not None and not any(entry["status"] == "False" for entry in said):
        bound, conflicts = _bind(bound, offer, taken)
        status["apiExportClusterName"] = offer.cluster
        said += _outcome(conflicts, complete=len(bound) == len(offer.schemas))
        said += _claims(binding, offer)
        status["exportPermissionClaims"] = list(offer.claims)
        status["appliedPermissionClaims"] = _accepted(binding, offer)
    conditions = merged(status.get("conditions") or (), _keep_completed(status, said), now)
    status["conditions"] = with_ready(conditions, now, parts=(*_READY_PARTS, "BindingUpToDate"))
    status["boundResources"] = bound
    completed = any(c["type"] == "InitialBindingCompleted" and c["status"] == "True" for c in status["conditions"])
    status["phase"] = "Bound" if completed else "Binding"
    return {key: value for key, value in status.items() if value != []}


def _validity(binding: JsonObject, offer: Offer | None) -> list[JsonObject]:
    reference = ((binding.get("spec") or {}).get("reference") or {}).get("export") or {}
    text = f"{reference.get('path', '')}:{reference.get('name', '')}".lstrip(":")
    if offer is None:
        reason, message = "APIExportNotFound", f"APIExport {text} not found"
    elif not offer.identity:
        reason, message = "MissingIdentityHash", f"APIExport {text} has no identity yet"
    elif offer.missing:
        reason, message = "APIResourceSchemaInvalid", "APIResourceSchemas not found: " + ", ".join(offer.missing)
    else:
        return [condition("APIExportValid", True)]
    return [condition("APIExportValid", False, reason=reason, message=message)]


def _bind(before: Sequence[JsonObject], offer: Offer, taken: Sequence[Taken]) -> tuple[list[JsonObject], list[str]]:
    """Return the bound resources (sorted as the export has them) and what conflicts; one conflict spares the rest."""
    versions = {(entry.get("group", ""), entry["resource"]): entry.get("storageVersions") or [] for entry in before}
    bound, conflicts = [], []
    for schema in offer.schemas:
        clash = next((text for text in (holder.conflict(schema) for holder in taken) if text), "")
        if clash:
            conflicts.append(clash)
            continue
        stored = versions.get((schema.group, schema.plural), [])
        bound.append(
            {
                "group": schema.group,
                "resource": schema.plural,
                "schema": {"name": schema.name, "UID": schema.uid, "identityHash": offer.identity},
                "storageVersions": sorted({*stored, schema.storage_version}),
            }
        )
    return bound, conflicts


def _outcome(conflicts: Sequence[str], *, complete: bool) -> list[JsonObject]:
    if not conflicts:
        return [condition("BindingUpToDate", True), condition("InitialBindingCompleted", True)]
    up_to_date = condition("BindingUpToDate", False, reason="NamingConflicts", message="; ".join(conflicts))
    return [up_to_date, condition("InitialBindingCompleted", complete, reason="WaitingForEstablished")]


def _keep_completed(status: JsonObject, said: Iterable[JsonObject]) -> list[JsonObject]:
    """Drop a new False for InitialBindingCompleted once it has been True: it never goes back."""
    done = any(
        entry["type"] == "InitialBindingCompleted" and entry["status"] == "True"
        for entry in status.get("conditions") or ()
    )
    return [entry for entry in said if not (done and entry["type"] == "InitialBindingCompleted")]


def _claim_key(claim: JsonObject) -> tuple[str, str, str]:
    return claim.get("group", ""), claim.get("resource", ""), claim.get("identityHash", "")


def _accepted(binding: JsonObject, offer: Offer) -> list[JsonObject]:
    asked = {_claim_key(claim) for claim in offer.claims}
    return [
        {key: value for key, value in claim.items() if key != "state"}
        for claim in (binding.get("spec") or {}).get("permissionClaims") or ()
        if claim.get("state") == "Accepted" and _claim_key(claim) in asked
    ]


def _claims(binding: JsonObject, offer: Offer) -> list[JsonObject]:
    asked = {_claim_key(claim) for claim in offer.claims}
    given = (binding.get("spec") or {}).get("permissionClaims") or ()
    extra = sorted(_claim_key(claim)[1] for claim in given if _claim_key(claim) not in asked)
    applied = condition("PermissionClaimsApplied", True)
    if not extra:
        return [condition("PermissionClaimsValid", True), applied]
    text = "claims the export does not ask for: " + ", ".join(extra)
    return [condition("PermissionClaimsValid", False, reason="InvalidPermissionClaims", message=text), applied]


class Bindings:
    """
    Completes bindings and reads what a workspace has bound.

    Args:
        store, maker, exports: As everywhere.
        resolve: Path to logical cluster name.
    """

    def __init__(self, store: Store, maker: Maker, exports: Exports, resolve: Resolve) -> None:
        self._store = store
        self._maker = maker
        self._exports = exports
        self._resolve = resolve

    async def offer_of(self, cluster: str, binding: JsonObject) -> Offer | None:
        """Return what the export a binding in ``cluster`` refers to offers, or None."""
        reference = ((binding.get("spec") or {}).get("reference") or {}).get("export") or {}
        path = reference.get("path", "")
        provider = await self._resolve(path) if path else cluster
        return await self._exports.offer(provider, reference.get("name", "")) if provider else None

    async def taken(self, cluster: str, *, but: str = "") -> list[Taken]:
        """Return the names held by the workspace's bindings (all but the one named ``but``) and own CRDs."""
        held = []
        for binding in await self._list(BINDINGS, cluster):
            if binding["metadata"]["name"] == but:
                continue
            status = binding.get("status") or {}
            for entry in status.get("boundResources") or ():
                schema = await self._exports.schema(status["apiExportClusterName"], entry["schema"]["name"])
                if schema is not None:
                    held.append(taken_by(schema, f"APIBinding {binding['metadata']['name']}"))
        return held + [_taken_by_crd(crd) for crd in await self._list(CRDS, cluster)]

    async def _list(self, kind: tuple[str, str], cluster: str) -> list[JsonObject]:
        prefix = range_prefix(self._maker.records[kind], cluster)
        return [encoding.decode(row) for row in (await self._store.range(prefix, prefix_end(prefix))).rows]

    def completed(self, binding: JsonObject, offer: Offer | None, taken: Sequence[Taken]) -> JsonObject:
        """Return the binding with finalizer, label, annotations of the export, and status."""
        metadata = dict(binding["metadata"])
        if "deletionTimestamp" not in metadata:
            metadata["finalizers"] = sorted({*metadata.get("finalizers", ()), FINALIZER})
        if offer is not None:
            label = export_label_value(offer.cluster, offer.name)
            metadata["labels"] = {**metadata.get("labels", {}), EXPORT_LABEL: label}
            metadata["annotations"] = {**metadata.get("annotations", {}), **dict(offer.extra)}
        return {**binding, "metadata": metadata, "status": status_of(binding, offer, taken, self._maker.now())}

    async def defaults(self, cluster: str, wanted: Sequence[tuple[str, str]]) -> list[JsonObject]:
        """
        Return a new workspace's default bindings, complete, bound where the export is there, all claims accepted.

        Args:
            cluster: The new logical cluster; it has nothing yet.
            wanted: (path, export) in order, without repetition.
        """
        made: list[JsonObject] = []
        taken: list[Taken] = []
        for path, export in wanted:
            name = default_binding_name(cluster, path, export)
            spec: JsonObject = {"reference": {"export": {"path": path, "name": export}}}
            obj = self._maker.complete(BINDINGS, cluster, {"metadata": {"name": name}, "spec": spec})
            offer = await self.offer_of(cluster, obj)
            if offer is not None and offer.claims:
                spec["permissionClaims"] = [{**claim, "state": "Accepted"} for claim in offer.claims]
            made.append(self.completed(obj, offer, taken))
            taken += [taken_by(schema, f"APIBinding {name}") for schema in (offer.schemas if offer else ())]
        return made

    async def __call__(self, change: Change) -> Effect:
        """
        Complete a binding that is created or whose spec changed; make whatever adds an API meet others that do.

        See :data:`fairlead_control_plane.kinds.change.Effects`.
        """
        kind = (change.resource.group, change.resource.plural)
        if kind not in {BINDINGS, CRDS} or change.new is None:
            return Effect()
        if change.old is not None and change.old.get("spec") == change.new.get("spec"):
            return Effect()
        lock = API_LOCKS + change.cluster
        row = await self._store.get(lock)
        operations: list[Operation] = [Put(lock, change.name.encode())]
        compares = [Compare(lock, row.mod_revision if row else 0)]
        if kind == CRDS:
            return Effect(operations, compares)
        offer = await self.offer_of(change.cluster, change.new)
        if offer is not None:
            export_key = self._maker.key(EXPORTS, offer.cluster, offer.name)
            compares.append(Compare(export_key, offer.revision))
        taken = await self.taken(change.cluster, but=change.name)
        return Effect(operations, compares, self.completed(change.new, offer, taken))


def forget(cluster: str) -> Delete:
    """Return the removal of what the bindings of a logical cluster left behind."""
    return Delete(API_LOCKS + cluster)


def _taken_by_crd(crd: JsonObject) -> Taken:
    spec = crd["spec"]
    names = spec["names"]
    words = (names["plural"], names.get("singular", ""), *(names.get("shortNames") or ()))
    return Taken(
        spec["group"],
        names["plural"],
        frozenset(word for word in words if word),
        frozenset(word for word in (names["kind"], names.get("listKind", "")) if word),
        f"CustomResourceDefinition {crd['metadata']['name']}",
    )
