"""
Brings one object in the cluster to what its view says, and says how it went.

The plan decides; this carries it out with the preconditions that keep foreign objects byte-identical: POST to create,
server-side apply with the owned uid, DELETE with uid and resourceVersion.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound
from fairlead_machinery import failpoints
from fairlead_machinery.client import JSON_PATCH, Client, Gvr
from fairlead_syncer import drift, plan
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.goings import GOING_S, Goings
from fairlead_syncer.hosts import Hosts
from fairlead_syncer.namespaces import Namespaces
from fairlead_syncer.proofs import OWN_MANAGER
from fairlead_syncer.repairs import Repairs
from fairlead_syncer.rules import Unfit
from fairlead_syncer.settled import Settled
from fairlead_syncer.state import State
from fairlead_syncer.target import Key
from fairlead_syncer.tokens import CannotMint, Tokens
from fairlead_syncer.upstream import Upstream
from fairlead_transforms import podtemplate
from fairlead_transforms.denied import PolicyDenied
from fairlead_transforms.downstream import DownstreamContext, to_downstream
from fairlead_transforms.names import ReservedName, downstream_name

_STRICT = {"fieldManager": OWN_MANAGER, "fieldValidation": "Strict"}
_REFUSALS = {400: "Unsupported", 403: "Forbidden", 404: "Unsupported", 422: "Refused"}
_WEBHOOK = "failed calling webhook"
"""How an API server says that somebody's webhook is broken, which may last; its own troubles pass."""
_TERMINATING = "NamespaceTerminating"
_IMMUTABLE = ("immutable", "updates to statefulset spec for fields other than")
"""How an API server says that a field of what is there may not be changed."""
_BLOCKED_S = 15.0
"""Seconds after which a foreign object under our name is looked at again: it carries no label, so no event tells."""
_ILL_TYPED = "failed to create typed patch object"
"""How an API server answers an apply that does not fit its schema: with 500, and after any other try again."""
_log = structlog.get_logger(__name__)


class Refused(ApiError):
    """The cluster will not have an object; the user must hear why. ``code`` is that of its answer, if it was one."""

    def __init__(self, reason: str, message: str, code: int = ApiError.code) -> None:
        super().__init__(message)
        self.code = code
        self.refusal = plan.Refuse(reason, message)


class Down:
    """Reconciles objects; one instance an agent."""

    def __init__(
        self,
        state: State,
        upstream: Upstream,
        cluster: Client,
        namespaces: Namespaces,
        tokens: Tokens,
        deletions: Deletions,
    ) -> None:
        self._state = state
        self._upstream = upstream
        self._cluster = cluster
        self._namespaces = namespaces
        self._tokens = tokens
        self._deletions = deletions
        self._repairs = Repairs()
        self._drifts = drift.Drifts()
        self._settled = Settled()
        self._goings = Goings()
        self.hosts: Hosts | None = None
        """Knows whose the hosts of Ingresses are; without it no Ingress is asked about."""
        self._met: set[Key] = set()  # whose names something unknown had when we wanted to create: looked up first

    async def reconcile(self, key: Key) -> float | None:
        """
        Bring one object up to date; return seconds after which to look again, if time alone matters.

        Raises:
            Conflict: Something changed meanwhile; try again.
            ApiError, Unreachable: Either side is away; try again later.
            Refused: The cluster said no, and the user has been told; try again later.
        """
        view = self._state.views.get(key)
        self._forget(key, view)
        if view is None:
            await self._tokens.mend(key)
            return None
        if (key.group, key.resource) == ("", "namespaces"):
            return await self._namespaces.reconcile(key, view)
        gvr = self._state.gvrs.get((key.group, key.resource))
        if gvr is None:
            return None
        try:
            return await self._bring(key, gvr, view)
        except ReservedName as error:
            if plan.is_tombstone(view):  # it never was in the cluster
                await self._confirm(key, gvr, view["metadata"]["uid"])
            else:
                await self._refuse(key, gvr, view, plan.Refuse("NameReserved", str(error)))
        except PolicyDenied as error:
            await self._refuse(key, gvr, view, plan.Refuse("PolicyDenied", self._by_policy(error)))
        except Unfit as error:
            await self._refuse(key, gvr, view, plan.Refuse(error.reason, error.message))
            return _BLOCKED_S
        except Refused as error:
            if self.hosts is not None:
                self.hosts.release(key)  # nobody is kept from a host by what the cluster does not take
            await self._refuse(key, gvr, view, error.refusal)
            raise
        return None

    def _forget(self, key: Key, view: JsonObject | None) -> None:
        """Drop what a view that is gone, or says the opposite by now, has made us remember."""
        if view is None or not plan.is_tombstone(view):
            self._deletions.forget(key)
        if view is None or plan.is_tombstone(view):
            self._settled.forget(key)
            if self.hosts is not None:
                self.hosts.release(key)
        if view is None:
            self._state.refused.discard(key)
            self._met.discard(key)
            self._repairs.forget(key)
            self._drifts.forget(key)
            self._goings.forget(key)

    async def _bring(self, key: Key, gvr: Gvr, view: JsonObject) -> float | None:
        is_going = plan.is_tombstone(view)
        actual = self._state.actual.get(key)
        if not is_going and self._settled.holds(key, view, actual):
            await self._prepare(key, view)  # what it needs may have changed all the same: another namespace, say
            return None
        proof = self._state.proof(key, view)
        desired = None if is_going else self._desired(key, view, proof)
        if is_going or (actual is None and key in self._met):
            actual = await self._read(key, gvr)
        given = self._state.adoptions.get((key.cluster, key.namespace))
        if desired is not None and actual is not None:
            desired, drifts = drift.settle(desired, actual, drift.policy_of(view))
            self._drifts.note(key, drifts)
        action = plan.plan(view, desired, actual, proof=proof, given=given)
        if isinstance(action, plan.Going) and actual is not None:
            return await self._wait(key, gvr, view, action, actual)
        self._goings.forget(key)
        if isinstance(action, plan.Refuse):
            if self._state.actual.pop(key, None) is not None:
                self._met.add(key)  # what we remember is perhaps not what is there
                return await self._bring(key, gvr, view)
            await self._refuse(key, gvr, view, action)
            return _BLOCKED_S
        if isinstance(action, plan.Confirm | plan.Remove):
            await self._end(key, gvr, view, action, actual)
            return None
        return GOING_S if is_going else await self._run(key, gvr, view, action, actual)

    async def _end(
        self, key: Key, gvr: Gvr, view: JsonObject, action: plan.Confirm | plan.Remove, actual: JsonObject | None
    ) -> None:
        """Confirm that an object is gone, or delete it unless the brake holds it."""
        if isinstance(action, plan.Confirm):
            await self._confirm(key, gvr, action.uid)
        elif actual is not None and self._deletions.allows(key, view, action.cause):
            await self._remove(key, gvr, view, action, actual)
        elif (refusal := self._deletions.refusal()) is not None:
            await self._refuse(key, gvr, view, refusal)

    async def _wait(self, key: Key, gvr: Gvr, view: JsonObject, action: plan.Going, actual: JsonObject) -> float | None:
        """Wait for the end of what is being deleted in the cluster, and say what keeps it once that has lasted."""
        lasts = self._goings.lasts(key, actual, asyncio.get_running_loop().time())
        if plan.is_tombstone(view):
            is_known = plan.annotations_of(view).get(plan.REASON) == plan.TERMINATING
            if lasts and self._goings.is_news(key, action.message, is_known=is_known):
                await self._refuse(key, gvr, view, plan.Refuse(plan.TERMINATING, action.message))
            return GOING_S
        await self._prepare(key, view)
        if not lasts:
            await self._report(key, gvr, view, actual)
            return GOING_S
        body = plan.report(actual, synced=False, reason=plan.TERMINATING, message=action.message)
        await self._upstream.report(gvr, key, view["metadata"]["uid"], actual.get("status"), body)
        self._state.told(key, view, actual["metadata"]["uid"])
        self._state.refused.add(key)
        return None

    async def _run(
        self, key: Key, gvr: Gvr, view: JsonObject, action: plan.Action, actual: JsonObject | None
    ) -> float | None:
        """Have the object run as planned, and report on it."""
        await self._prepare(key, view)
        if isinstance(action, plan.Create):
            actual = await self._create(key, gvr, action.obj)
        elif isinstance(action, plan.Adopt) and actual is not None:
            actual = await self._adopt(key, gvr, action, actual)
        elif isinstance(action, plan.Apply) and actual is not None:
            wait_s = self._repairs.wait_s(key, action.obj, actual, asyncio.get_running_loop().time())
            if wait_s:
                if self._drifts.is_news(key):
                    await self._report(key, gvr, view, actual)
                return wait_s
            if wait_s is not None:
                actual = await self._apply(key, gvr, action.obj, actual)
        if actual is not None:
            self._state.learn(key, actual)
            self._met.discard(key)
            told = await self._report(key, gvr, view, actual)
            self._settled.note(key, view, told, actual)
        return None

    async def _report(self, key: Key, gvr: Gvr, view: JsonObject, actual: JsonObject) -> str:
        """Report on an object of ours; return the resourceVersion its view has by that."""
        body = plan.report(actual) | self._drifts.to_tell(key)
        failpoints.hit("syncer-before-report")
        told = await self._upstream.report(gvr, key, view["metadata"]["uid"], actual.get("status"), body)
        failpoints.hit("syncer-after-report")
        self._state.refused.discard(key)
        self._state.told(key, view, actual["metadata"]["uid"])
        self._drifts.told(key, body)
        return told

    def _desired(self, key: Key, view: JsonObject, proof: str) -> JsonObject:
        target = self._state.target
        home, pods = target.namespace(key.cluster, key.namespace), target.pods(key.namespace)
        context = DownstreamContext(home, pods, self._state.policy)
        made = to_downstream(key.group, key.resource, view, context)
        if self.hosts is not None:
            self.hosts.consider(key, made)
        return plan.desired_object(view, made, proof=proof)

    async def _read(self, key: Key, gvr: Gvr) -> JsonObject | None:
        """Ask the cluster itself, whoever made what is there."""
        name = downstream_name(key.group, key.resource, key.name)
        try:
            return await self._cluster.find(gvr, name, namespace=self._home(key))
        except Forbidden as error:
            await self._namespaces.judge_unread(key, error)
            return None

    async def _prepare(self, key: Key, view: JsonObject) -> None:
        """Have what the object needs, also when it is there already: its namespace, and its pods' credentials."""
        await self._namespaces.ensure(key.cluster, key.namespace)
        account = podtemplate.service_account(key.group, key.resource, view)
        if account is None:
            return
        try:
            await self._tokens.ensure(key.cluster, key.namespace, account)
        except CannotMint as error:
            raise Refused(error.reason, str(error)) from error

    async def _create(self, key: Key, gvr: Gvr, obj: JsonObject) -> JsonObject | None:
        try:
            failpoints.hit("syncer-before-create")
            made = await self._cluster.create(gvr, obj, namespace=self._home(key), query=_STRICT)
        except AlreadyExists as error:
            # Ours from before a crash, or a foreign one: the next look reads it and decides by its marks.
            self._met.add(key)
            raise Conflict(error.message) from error
        except ApiError as error:
            await self._namespaces.regain(self._home(key), error)
            raise self._judged(key, gvr, error) from error
        failpoints.hit("syncer-after-create")
        return made

    def _judged(self, key: Key, gvr: Gvr, error: ApiError) -> Exception:
        """Tell a refusal, which the user must hear, from a namespace on its way out and a cluster in trouble."""
        going = any(cause.reason == _TERMINATING for cause in error.causes)
        if going or (error.code == 404 and error.kind == "namespaces"):
            self._namespaces.forget(self._home(key))
            return Conflict(error.message)
        if error.code == 500 and _WEBHOOK in error.message:
            return Refused("WebhookFailed", error.message)
        if error.code == 500 and _ILL_TYPED in error.message:
            return Refused("Refused", error.message, Invalid.code)
        if error.code not in _REFUSALS:
            return error
        message = error.message
        if error.code == NotFound.code and not error.is_status:
            version = f"{gvr.group}/{gvr.version}" if gvr.group else gvr.version
            message = f"the cluster does not serve {gvr.resource} in version {version} any more"
        if error.code == Invalid.code and any(word in message for word in _IMMUTABLE):
            message = f"{message}; delete it and create it again"
        return Refused(_REFUSALS[error.code], message, error.code)

    async def _apply(self, key: Key, gvr: Gvr, obj: JsonObject, actual: JsonObject) -> JsonObject:
        try:
            await self._become_applier(key, gvr, actual)
            failpoints.hit("syncer-before-apply")
            applied = await self._cluster.apply(
                gvr,
                obj,
                field_manager=OWN_MANAGER,
                force=True,
                namespace=self._home(key),
                query={"fieldValidation": "Strict"},
            )
        except (Conflict, NotFound, Invalid) as error:
            self._state.actual.pop(key, None)  # what we remembered is perhaps not what is there
            is_unserved = isinstance(error, NotFound) and not error.is_status
            if is_unserved or (
                isinstance(error, Invalid) and not any(cause.field == "metadata.uid" for cause in error.causes)
            ):
                raise self._judged(key, gvr, error) from error
            raise Conflict(error.message) from error
        except ApiError as error:
            await self._namespaces.regain(self._home(key), error)
            raise self._judged(key, gvr, error) from error
        failpoints.hit("syncer-after-apply")
        self._repairs.applied(key, obj, applied, asyncio.get_running_loop().time())
        return applied

    async def _adopt(self, key: Key, gvr: Gvr, action: plan.Adopt, actual: JsonObject) -> JsonObject:
        """Take over an object that was handed over; refuse when its pods would restart by that and must not."""
        query = {"fieldValidation": "Strict", "dryRun": "All"}
        try:
            tried = await self._cluster.apply(
                gvr, action.obj, field_manager=OWN_MANAGER, force=True, namespace=self._home(key), query=query
            )
        except ApiError as error:
            raise self._judged(key, gvr, error) from error
        if not action.restart and plan.template_of(tried) != plan.template_of(actual):
            message = "taking over what runs there would change its pod template, and so restart its pods"
            raise Refused("WouldRestart", message)
        _log.warning("taking over", resource=key.resource, key="/".join(key[2:]), uid=actual["metadata"]["uid"])
        return await self._apply(key, gvr, action.obj, actual)

    async def _become_applier(self, key: Key, gvr: Gvr, actual: JsonObject) -> None:
        """
        Turn our ownership from the POST into ownership by apply, once in an object's life.

        Without it, fields we stop applying would stay: the entry of the create would still own them.
        """
        entries = actual["metadata"].get("managedFields") or []
        for index, entry in enumerate(entries):
            if (
                entry.get("manager") == OWN_MANAGER
                and entry.get("operation") == "Update"
                and not entry.get("subresource")
            ):
                version, uid = actual["metadata"]["resourceVersion"], actual["metadata"]["uid"]
                patch = [
                    {"op": "test", "path": "/metadata/uid", "value": uid},
                    {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                    {"op": "replace", "path": f"/metadata/managedFields/{index}/operation", "value": "Apply"},
                ]
                name = actual["metadata"]["name"]
                await self._cluster.patch(gvr, name, patch, type_=JSON_PATCH, namespace=self._home(key))
                return

    async def _remove(self, key: Key, gvr: Gvr, view: JsonObject, action: plan.Remove, actual: JsonObject) -> None:
        await self._upstream.check(gvr, key, view, actual)
        self._state.told(key, view, action.uid)  # this one: no copy of its marks that comes into its place meanwhile
        name = downstream_name(key.group, key.resource, key.name)
        _log.info("removing", resource=key.resource, key="/".join(key[2:]), cause=action.cause, uid=action.uid)
        failpoints.hit("syncer-before-delete")
        with suppress(NotFound):
            await self._cluster.delete(
                gvr,
                name,
                namespace=self._home(key),
                uid=action.uid,
                resource_version=action.resource_version,
                propagation="Background",
            )
        failpoints.hit("syncer-after-delete")
        self._state.actual.pop(key, None)
        raise Conflict("removed; looking again whether it is gone")

    async def _confirm(self, key: Key, gvr: Gvr, uid: str) -> None:
        failpoints.hit("syncer-before-confirm")
        await self._upstream.confirm(gvr, key, uid)
        failpoints.hit("syncer-after-confirm")
        view = self._state.views.get(key)
        if view is not None and view["metadata"]["uid"] == uid and plan.is_tombstone(view):
            self._state.drop_view(key)
        self._deletions.forget(key)
        self._repairs.forget(key)
        self._drifts.forget(key)
        self._goings.forget(key)
        self._namespaces.look_again(key.cluster, key.namespace)

    async def _refuse(self, key: Key, gvr: Gvr, view: JsonObject, refusal: plan.Refuse) -> None:
        body = {"synced": False, "reason": refusal.reason, "message": refusal.message}
        await self._upstream.report(gvr, key, view["metadata"]["uid"], None, body)
        self._state.refused.add(key)  # and said again at each resync, while it is so

    def _by_policy(self, error: PolicyDenied) -> str:
        return f"the policy of SyncTarget {self._state.target.name} refuses it: {error}"

    def _home(self, key: Key) -> str:
        return self._state.target.namespace(key.cluster, key.namespace)
