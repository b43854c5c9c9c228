"""
Brings one object in the cluster to what its view says, and says how it went.

The plan decides; this carries it out with the preconditions that keep foreign objects byte-identical: POST to create,
server-side apply with the owned uid, DELETE with uid and resourceVersion.
"""

from __future__ import annotations

from contextlib import suppress

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound
from fairlead_machinery.client import JSON_PATCH, Client, Gvr
from fairlead_machinery.transport import Unreachable
from fairlead_syncer import plan
from fairlead_syncer.namespaces import Namespaces
from fairlead_syncer.state import State
from fairlead_syncer.target import Key
from fairlead_syncer.tokens import Tokens
from fairlead_syncer.upstream import Upstream
from fairlead_transforms import podtemplate
from fairlead_transforms.downstream import DownstreamContext, to_downstream
from fairlead_transforms.names import ReservedName, downstream_name

MANAGER = "syncer"
_STRICT = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
_log = structlog.get_logger(__name__)


class Down:
    """Reconciles objects; one instance an agent."""

    def __init__(
        self, state: State, upstream: Upstream, cluster: Client, namespaces: Namespaces, tokens: Tokens
    ) -> None:
        self._state = state
        self._upstream = upstream
        self._cluster = cluster
        self._namespaces = namespaces
        self._tokens = tokens
        self._settled: dict[Key, tuple[str, str]] = {}

    async def reconcile(self, key: Key) -> float | None:
        """
        Bring one object up to date; return seconds after which to look again, if time alone matters.

        Raises:
            Conflict: Something changed meanwhile; try again.
            ApiError, Unreachable: Either side refused or is away; try again later.
        """
        view = self._state.views.get(key)
        if view is None:
            return None
        if (key.group, key.resource) == ("", "namespaces"):
            return await self._namespaces.reconcile(key, view)
        gvr = self._state.gvrs.get((key.group, key.resource))
        if gvr is None:
            return None
        try:
            await self._bring(key, gvr, view)
        except ReservedName as error:
            await self._refuse(key, gvr, view, plan.Refuse("NameReserved", str(error)))
        except (AlreadyExists, Conflict, Unreachable):
            raise
        except ApiError as error:
            if error.code in {400, 403, 404, 422}:  # the cluster says no: the user must hear it
                await self._refuse(key, gvr, view, plan.Refuse(_reason(error), error.message))
            raise
        return None

    async def _bring(self, key: Key, gvr: Gvr, view: JsonObject) -> None:
        proof = self._state.target.proof(key, view["metadata"]["uid"])
        desired = None if plan.is_tombstone(view) else self._desired(key, view, proof)
        actual = self._state.actual.get(key)
        if actual is None or plan.is_tombstone(view):
            actual = await self._read(key, gvr)
        action = plan.plan(view, desired, actual, proof=proof)
        if isinstance(action, plan.Create | plan.Apply):
            await self._prepare(key, action.obj)
        if isinstance(action, plan.Create):
            actual = await self._create(key, gvr, action.obj)
        elif isinstance(action, plan.Apply):
            actual = await self._apply(key, gvr, action.obj, actual)
        elif isinstance(action, plan.Remove):
            await self._remove(key, gvr, action)
            return
        elif isinstance(action, plan.Confirm):
            await self._confirm(key, gvr, action)
            return
        elif isinstance(action, plan.Refuse):
            await self._refuse(key, gvr, view, action)
            return
        if actual is not None and desired is not None:
            self._state.actual[key] = actual
            await self.report(key, gvr, view, actual)

    def _desired(self, key: Key, view: JsonObject, proof: str) -> JsonObject:
        target = self._state.target
        context = DownstreamContext(target.namespace(key.cluster, key.namespace), target.pods(key.namespace))
        return plan.desired_object(view, to_downstream(key.group, key.resource, view, context), proof=proof)

    async def _read(self, key: Key, gvr: Gvr) -> JsonObject | None:
        """Ask the cluster itself, whoever made what is there."""
        name = downstream_name(key.group, key.resource, key.name)
        try:
            return await self._cluster.get(gvr, name, namespace=self._home(key))
        except NotFound:
            return None

    async def _prepare(self, key: Key, obj: JsonObject) -> None:
        """Make what the object needs first: its namespace, and its pods' credentials."""
        await self._namespaces.ensure(key.cluster, key.namespace)
        account = podtemplate.service_account(key.group, key.resource, self._state.views[key])
        if account is not None and podtemplate.template_path(key.group, key.resource) is not None:
            await self._tokens.ensure(key.cluster, key.namespace, account)
        del obj

    async def _create(self, key: Key, gvr: Gvr, obj: JsonObject) -> JsonObject | None:
        try:
            return await self._cluster.create(gvr, obj, namespace=self._home(key), query=_STRICT)
        except AlreadyExists as error:
            # Ours from before a crash, or a foreign one: the next look has it in hand and decides by its marks.
            actual = await self._read(key, gvr)
            if actual is not None:
                self._state.actual[key] = actual
            raise Conflict(error.message) from error

    async def _apply(self, key: Key, gvr: Gvr, obj: JsonObject, actual: JsonObject | None) -> JsonObject | None:
        if actual is not None and self._settled.get(key) == _version(obj, actual):
            return actual  # applied once already with this very outcome: what differs is the cluster's own doing
        try:
            if actual is not None:
                await self._become_applier(key, gvr, actual)
            applied = await self._cluster.apply(
                gvr,
                {field: value for field, value in obj.items() if field != "status"},
                field_manager=MANAGER,
                force=True,
                namespace=self._home(key),
                query={"fieldValidation": "Strict"},
            )
        except (Conflict, NotFound, Invalid) as error:
            if isinstance(error, Invalid) and not any(cause.field == "metadata.uid" for cause in error.causes):
                raise
            self._state.actual.pop(key, None)  # what we remembered is not what is there
            raise Conflict(error.message) from error
        self._settled[key] = _version(obj, applied)
        return applied

    async def _become_applier(self, key: Key, gvr: Gvr, actual: JsonObject) -> None:
        """
        Turn our ownership from the POST into ownership by apply, once in an object's life.

        Without it, fields we stop applying would stay: the entry of the create would still own them.
        """
        entries = actual["metadata"].get("managedFields") or []
        for index, entry in enumerate(entries):
            if entry.get("manager") == MANAGER and entry.get("operation") == "Update" and not entry.get("subresource"):
                version = actual["metadata"]["resourceVersion"]
                patch = [
                    {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                    {"op": "replace", "path": f"/metadata/managedFields/{index}/operation", "value": "Apply"},
                ]
                name = actual["metadata"]["name"]
                await self._cluster.patch(gvr, name, patch, type_=JSON_PATCH, namespace=self._home(key))
                return

    async def _remove(self, key: Key, gvr: Gvr, action: plan.Remove) -> None:
        name = downstream_name(key.group, key.resource, key.name)
        _log.info("removing", resource=key.resource, key="/".join(key[2:]), cause=action.cause, uid=action.uid)
        with suppress(NotFound):
            await self._cluster.delete(
                gvr,
                name,
                namespace=self._home(key),
                uid=action.uid,
                resource_version=action.resource_version,
                propagation="Background",
            )
        self._state.actual.pop(key, None)
        raise Conflict("removed; looking again whether it is gone")

    async def _confirm(self, key: Key, gvr: Gvr, action: plan.Confirm) -> None:
        await self._upstream.confirm(gvr, key, action.uid)
        self._state.views.pop(key, None)
        self._settled.pop(key, None)
        self._namespaces.look_again(key.cluster, key.namespace)

    async def _refuse(self, key: Key, gvr: Gvr, view: JsonObject, refusal: plan.Refuse) -> None:
        body = {"synced": False, "reason": refusal.reason, "message": refusal.message}
        await self._upstream.report(gvr, key, view["metadata"]["uid"], None, body)

    async def report(self, key: Key, gvr: Gvr, view: JsonObject, actual: JsonObject) -> None:
        """Report on our object; the server writes nothing when it knew all of it."""
        await self._upstream.report(gvr, key, view["metadata"]["uid"], actual.get("status"), plan.report(actual))

    def _home(self, key: Key) -> str:
        return self._state.target.namespace(key.cluster, key.namespace)


def _version(obj: JsonObject, actual: JsonObject) -> tuple[str, str]:
    """Name an outcome: what we applied, and which spec the cluster made of it."""
    metadata = actual["metadata"]
    generation = metadata.get("generation") or metadata.get("resourceVersion")
    return plan.annotations_of(obj).get(plan.HASH, ""), str(generation)


def _reason(error: ApiError) -> str:
    return {403: "Forbidden", 404: "Unsupported", 400: "Unsupported"}.get(error.code, "Refused")
