"""
Downstream namespaces: made with the first object, gone after the last, never while they hold anything foreign.

Source: kcp TMC, syncer namespace controller; design section 6, number 3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, Forbidden, NotFound
from fairlead_machinery import failpoints
from fairlead_machinery.client import MERGE_PATCH, Client, Gvr
from fairlead_syncer import plan
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.proofs import OWN_MANAGER, PROOF
from fairlead_syncer.rights import Rights
from fairlead_syncer.rules import Rules, RulesNotKept, Unfit
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key
from fairlead_syncer.tokens import SECRETS, Tokens
from fairlead_syncer.upstream import Upstream
from fairlead_transforms.downstream import LOCATOR, TENANT
from fairlead_transforms.podtemplate import TARGET_LABEL
from fairlead_transforms.policy import TenantPolicy

POD_SECURITY = "pod-security.kubernetes.io/enforce"
_WRITE = {"fieldManager": OWN_MANAGER}
_GOING_S, _STAYS_S = 0.5, 2.0
_DOUBT_S = 90.0
"""How long after a request that was not answered a namespace may still come of it."""
_LONGEST_S = 120.0
"""How long at most until a namespace that holds somebody's objects is looked at again: each look lists everything."""
_PASSING_S = 60.0
"""For how long nobody is told of what is on its way out by itself."""
_UNSEEN_S = 30.0
"""The longest pause while it cannot be seen what a namespace holds: who mends that waits for it."""
# What every namespace gets from the cluster itself; it goes with the namespace.
_CLUSTERS_OWN = frozenset({("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")})
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Contents:
    """
    What is in a namespace beyond what goes with it.

    Attributes:
        left: As ``resource/name``; of those ``passing`` are being deleted, or have an owner that ends them.
        minted: Our tokens' Secrets.
        unseen: Kinds that we may not list.
    """

    left: list[str] = field(default_factory=list)
    passing: int = 0
    minted: list[JsonObject] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


Listable = Callable[[], Awaitable[Iterable[Gvr]]]


class NamespaceTaken(Unfit):
    """The cluster has a namespace of that name which is not ours."""

    code, reason = 409, "NamespaceTaken"


class NamespaceGoing(Unfit):
    """The cluster's namespace is being deleted: nothing new goes into it, and another is made once it is gone."""

    code, reason = 409, "NamespaceTerminating"


class Namespaces:
    """
    Keeps downstream namespaces.

    Args:
        upstream: Hears what stands against the end of a namespace.
        tokens: Knows which Secrets are ours without a view.
        deletions: Is asked before a namespace goes.
        listable: Asks the cluster for every namespaced resource it has, to look for foreign objects.
        enqueue: Asks for a key to be looked at again.
        rights: Are held in a namespace before anything else is done in it.
        enter: Told of each namespace that is ready, to be watched.
    """

    def __init__(  # noqa: PLR0913 - its surroundings
        self,
        state: State,
        cluster: Client,
        upstream: Upstream,
        tokens: Tokens,
        deletions: Deletions,
        *,
        listable: Listable,
        enqueue: Callable[[Key], None],
        rights: Rights,
        enter: Callable[[str], None],
    ) -> None:
        self._state = state
        self._cluster = cluster
        self._upstream = upstream
        self._tokens = tokens
        self._deletions = deletions
        self._listable = listable
        self._enqueue = enqueue
        self._rules = Rules(state, cluster, upstream)
        self._rights = rights
        self._enter = enter
        self._made: dict[str, str] = {}  # uid of what is ready, by name
        self._doubts_s: dict[str, float] = {}  # until when a namespace may come to be that was asked for
        self._pauses_s: dict[str, float] = {}
        self._passing_s: dict[str, float] = {}  # until when what passes is waited for without a word

    def look_again(self, cluster: str, namespace: str) -> None:
        """Look whether a namespace can go now."""
        self._enqueue(Key("", "namespaces", cluster, "", namespace))

    def enforce(self, policy: TenantPolicy) -> None:
        """
        Enforce another policy from now on, in the namespaces that are there too.

        What was refused is judged again. What runs goes on, until its user changes it: as with pod security itself.
        """
        if policy != self._state.policy:
            self._state.policy = policy
            self._made.clear()
            for cluster, namespace in list(self._state.homes.values()):
                self.look_again(cluster, namespace)
            for key in list(self._state.views):
                self._enqueue(key)

    def forget(self, name: str) -> None:
        """Take note that a downstream namespace is gone or going; with it went the Secrets in it."""
        self._rights.forget(name)
        self._rules.forget(name)
        if self._made.pop(name, None) is not None:
            home = self._state.homes.get(name)
            if home is not None:
                self._tokens.forget(*home)

    async def ensure(self, cluster: str, namespace: str) -> str:
        """
        Make sure that the downstream namespace is there and ours; return its name.

        Raises:
            NamespaceTaken: Somebody else's has that name; nothing in it is touched.
            NamespaceGoing: It is being deleted, which may take somebody else's word.
        """
        name = self._state.target.namespace(cluster, namespace)
        if name in self._made and name in self._state.homes:
            return name
        found = await self._cluster.find(NAMESPACES, name)
        if found is None:
            found = await self._make(name, cluster, namespace)
        if self._state.home_of(found) != (cluster, namespace):
            raise self._taken(name, namespace)
        if found["metadata"].get("deletionTimestamp"):
            self._tokens.forget(cluster, namespace)
            raise NamespaceGoing(f"namespace {name} of the cluster is Terminating; another is made once it is gone")
        self._state.homes[name] = (cluster, namespace)
        await self._rights.hold(name)
        await self._rules.keep(name, only_add=True)
        self._made[name] = found["metadata"]["uid"]
        self._enter(name)
        return name

    def _taken(self, name: str, namespace: str) -> NamespaceTaken:
        command = f"kubectl fairlead adopt namespace/{namespace} --cluster {self._state.target.name} --from {name}"
        return NamespaceTaken(
            f"the cluster already has a namespace {name!r} that is not of this workspace, whatever marks it bears; "
            f"to hand it over with what bears our marks in it: {command}"
        )

    async def regain(self, name: str, error: ApiError) -> None:
        """
        Look, where the cluster forbade us something in a namespace of ours, whether it was for want of our binding.

        Raises:
            Conflict: It was, and we have it again; or the namespace is another by now. Try again.
        """
        if error.code != Forbidden.code:
            return
        found = await self._cluster.find(NAMESPACES, name)
        if found is None or self._state.home_of(found) is None:
            self.forget(name)  # our binding went with our namespace, and another must not have it
            raise Conflict(f"namespace {name} is not the one that was made here any more") from error
        if await self._rights.regain(name):
            raise Conflict(f"the rights in namespace {name} were lost and are there again") from error

    async def judge_unread(self, key: Key, error: Forbidden) -> None:
        """
        Look why we may not read an object; return when nothing of ours can be there, as we may write nothing there.

        Raises:
            Conflict: The namespace is ours, and so are the rights in it again; try again.
            NamespaceTaken: The namespace is not ours any more, and we had made the object.
            Forbidden: The cluster has its reasons.
        """
        name = self._state.target.namespace(key.cluster, key.namespace)
        found = await self._cluster.find(NAMESPACES, name)
        if found is None:
            return
        if self._state.home_of(found) == (key.cluster, key.namespace):
            await self.regain(name, error)
            raise error
        view = self._state.views.get(key)
        if view is not None and plan.annotations_of(view).get(plan.DOWNSTREAM_UID):
            raise NamespaceTaken(
                f"namespace {name!r} of the cluster does not bear the marks of this workspace any more"
            )

    async def _make(self, name: str, cluster: str, namespace: str) -> JsonObject:
        """Make a namespace of ours, unless it must be none by now."""
        if not self._state.wants_namespace(cluster, namespace):
            raise Conflict(f"the namespace {namespace!r} is not known to run here")
        self._tokens.forget(cluster, namespace)
        self._doubts_s[name] = asyncio.get_running_loop().time() + _DOUBT_S
        failpoints.hit("syncer-before-namespace")
        try:
            found = await self._cluster.create(NAMESPACES, self._wanted(name, cluster, namespace), query=_WRITE)
        except Forbidden as error:
            raise self._beyond(error) from error
        except AlreadyExists:
            found = await self._cluster.get(NAMESPACES, name)
        failpoints.hit("syncer-after-namespace")
        self._doubts_s.pop(name, None)
        self.look_again(cluster, namespace)  # to have it recorded, whatever its watch shows and when
        return found

    def _wanted(self, name: str, cluster: str, namespace: str) -> JsonObject:
        target = self._state.target
        key = Key("", "namespaces", cluster, "", namespace)
        labels = {
            TARGET_LABEL: target.key,
            TENANT: target.tenant(cluster),
            POD_SECURITY: self._state.policy.pod_security,
        }
        locator = target.locator(cluster, namespace).to_json()
        proof = self._state.proof(key, self._state.views[key])
        metadata = {"name": name, "labels": labels, "annotations": {LOCATOR: locator, PROOF: proof}}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}

    async def reconcile(self, key: Key, view: JsonObject) -> float | None:
        """Keep a namespace's level; delete one that must go, once nothing stands against that; confirm its end."""
        name = self._state.target.namespace(key.cluster, key.name)
        found = await self._cluster.find(NAMESPACES, name)
        if found is None or found["metadata"].get("deletionTimestamp") or self._is_another(found):
            self.forget(name)
        if found is None or not plan.is_tombstone(view):
            for kept in (self._pauses_s, self._passing_s, self._rights.unseen):
                kept.pop(name, None)
        is_ours = found is not None and self._state.home_of(found) == (key.cluster, key.name)
        if not plan.is_tombstone(view):
            if found is not None:
                await self._run(key, view, found, is_ours=is_ours)
            return None
        if found is None or not is_ours:
            self._state.homes.pop(name, None)
            await self._confirm(key, view)
            return None
        if found["metadata"].get("deletionTimestamp"):
            return _GOING_S
        return await self._end(key, view, found)

    async def _end(self, key: Key, view: JsonObject, found: JsonObject) -> float | None:
        """Delete a namespace of ours that must go, unless something stands against that, which is told."""
        name = found["metadata"]["name"]
        if self._why_not(key, view):
            return _STAYS_S  # on its way, and no news for anybody
        await self._rights.hold(name)
        inside = await self._inside(key, name)
        refusal = self._stays(view, name, inside)
        if refusal is None:
            return await self._remove(key, view, found)
        if self._passes(name, inside):
            return _STAYS_S
        await self._take_tokens(key, view, found, inside.minted)
        await self._tell(key, view, refusal)
        longest_s = _UNSEEN_S if inside.unseen else _LONGEST_S
        self._pauses_s[name] = min(self._pauses_s.get(name, _STAYS_S / 2) * 2, longest_s)
        return self._pauses_s[name]

    async def _run(self, key: Key, view: JsonObject, found: JsonObject, *, is_ours: bool) -> None:
        """Keep a namespace that must run, or say that it is somebody's."""
        name = found["metadata"]["name"]
        if is_ours:
            await self._keep(key, view, found)
        elif name not in self._made:
            taken = self._taken(name, key.name)
            await self._tell(key, view, plan.Refuse(taken.reason, taken.message))

    def _is_another(self, found: JsonObject) -> bool:
        """Tell whether what is there is not the very namespace that was ready under its name."""
        metadata = found["metadata"]
        return bool(self._made.get(metadata["name"], metadata["uid"]) != metadata["uid"])

    async def _keep(self, key: Key, view: JsonObject, found: JsonObject) -> None:
        """Keep a namespace of ours as it must be."""
        name = found["metadata"]["name"]
        self._state.homes[name] = (key.cluster, key.name)
        await self._rights.hold(name)
        self._enter(name)
        await self._record(key, view, found)
        self._rules.look(found)
        await self._keep_marks(found)
        await self._rules.keep(name)

    async def _take_tokens(self, key: Key, view: JsonObject, found: JsonObject, minted: list[JsonObject]) -> None:
        """Take the tokens out of a namespace that somebody's objects keep: nothing of the workspace may use them."""
        if not minted:
            return
        await self._upstream.check(NAMESPACES, key, view, found)
        self._tokens.forget(key.cluster, key.name)
        for secret in minted:
            metadata = secret["metadata"]
            uid, version, home = metadata["uid"], metadata["resourceVersion"], metadata["namespace"]
            with suppress(NotFound):
                await self._cluster.delete(SECRETS, metadata["name"], namespace=home, uid=uid, resource_version=version)

    async def _remove(self, key: Key, view: JsonObject, found: JsonObject) -> float | None:
        """Delete a namespace, unless the brake holds it."""
        metadata = found["metadata"]
        name = metadata["name"]
        if not self._deletions.allows(key, view, plan.annotations_of(view).get(plan.CAUSE, "")):
            refusal = self._deletions.refusal()
            if refusal is not None:
                await self._tell(key, view, refusal)
            return None
        await self._upstream.check(NAMESPACES, key, view, found)
        self.forget(name)
        _log.info("removing namespace", namespace=name)
        failpoints.hit("syncer-before-namespace-delete")
        await self._cluster.delete(NAMESPACES, name, uid=metadata["uid"], resource_version=metadata["resourceVersion"])
        failpoints.hit("syncer-after-namespace-delete")
        return _GOING_S

    async def _tell(self, key: Key, view: JsonObject, refusal: plan.Refuse) -> None:
        """Tell upstream what stands against the end of a namespace."""
        body = {"synced": False, "reason": refusal.reason, "message": refusal.message}
        await self._upstream.report(NAMESPACES, key, view["metadata"]["uid"], None, body)

    async def _record(self, key: Key, view: JsonObject, found: JsonObject) -> None:
        """Tell upstream which namespace is ours, once."""
        uid, marks = found["metadata"]["uid"], plan.annotations_of(view)
        if marks.get(plan.DOWNSTREAM_UID) != uid or plan.REASON in marks:
            body = {"downstreamUID": uid, "synced": True, "reason": "", "message": ""}
            await self._upstream.report(NAMESPACES, key, view["metadata"]["uid"], None, body)
            self._state.told(key, view, uid)

    async def _keep_marks(self, found: JsonObject) -> None:
        """Have a namespace bear the seal of its uid, and enforce the level."""
        metadata = found["metadata"]
        level, seal = self._state.policy.pod_security, self._state.target.seal(metadata["name"], metadata["uid"])
        is_level = (metadata.get("labels") or {}).get(POD_SECURITY) == level
        is_sealed = plan.annotations_of(found).get(plan.SEAL) == seal
        if (is_level and is_sealed) or metadata.get("deletionTimestamp"):
            return
        marks = {"labels": {POD_SECURITY: level}, "annotations": {plan.SEAL: seal}}
        body = {"metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"], **marks}}
        try:
            await self._cluster.patch(NAMESPACES, metadata["name"], body, type_=MERGE_PATCH, query=_WRITE)
        except Forbidden as error:
            raise self._beyond(error) from error

    def _beyond(self, error: Forbidden) -> ApiError:
        """Return what to say of a namespace that the cluster does not let us make, or give its level."""
        if self._state.policy.pod_security != "privileged":
            return error
        command = f"kubectl fairlead cluster join {self._state.target.name} --allow-privileged"
        return RulesNotKept(f"{error.message}; who owns the cluster allows the level privileged with: {command}")

    def _why_not(self, key: Key, view: JsonObject) -> str:
        views = [one for _, one in self._state.views_in(key.cluster, key.name)]
        live = [one for one in views if not plan.is_tombstone(one)]
        pending = [one for one in views if plan.is_tombstone(one)]
        return plan.may_delete_namespace(view, live, pending, [])

    def _stays(self, view: JsonObject, name: str, inside: _Contents) -> plan.Refuse | None:
        """Return why a namespace must stay for what it holds, or may hold; None when it may go."""
        unseen = self._rights.unseen
        if not inside.unseen:
            unseen.pop(name, None)
            why = plan.may_delete_namespace(view, [], [], inside.left)
            return plan.Refuse("NamespaceNotEmpty", why) if why else None
        unseen[name] = inside.unseen
        why = not_seen(inside.unseen, self._state.target.name)
        if inside.left:
            return plan.Refuse("NamespaceNotEmpty", f"{plan.may_delete_namespace(view, [], [], inside.left)}; {why}")
        return plan.Refuse("NamespaceNotSeen", why)

    def _passes(self, name: str, inside: _Contents) -> bool:
        """Tell whether all there is is on its way out, and has not been for long: no news for anybody."""
        if inside.unseen or inside.passing < len(inside.left):
            return False
        now_s = asyncio.get_running_loop().time()
        return now_s < self._passing_s.setdefault(name, now_s + _PASSING_S)

    async def _inside(self, key: Key, name: str) -> _Contents:
        """
        Look what is left in a namespace.

        By now nothing of ours should be there, so whatever labels it wears, what is there is somebody's or still going.
        """
        found = _Contents()
        for gvr in await self._listable():
            if gvr.resource == "events":
                continue
            try:
                items, _ = await self._cluster.list(gvr, namespace=name)
            except Forbidden:
                found.unseen.append(".".join(part for part in (gvr.resource, gvr.group) if part))
                continue
            for item in items:
                own = (gvr.resource, item["metadata"]["name"]) in _CLUSTERS_OWN and not gvr.group
                token = gvr.resource == "secrets" and self._tokens.made(key.cluster, key.name, item)
                is_ours = self._rules.made(gvr, item) or self._rights.made(gvr, item)
                if token:
                    found.minted.append(item)
                elif not own and not is_ours:
                    found.left.append(f"{gvr.resource}/{item['metadata']['name']}")
                    found.passing += _is_passing(item["metadata"])
        return found

    async def _confirm(self, key: Key, view: JsonObject) -> None:
        name = self._state.target.namespace(key.cluster, key.name)
        if self._doubts_s.get(name, 0.0) > asyncio.get_running_loop().time():
            raise Conflict(f"namespace {name} may be in the making")
        await self._upstream.confirm(NAMESPACES, key, view["metadata"]["uid"])
        if self._state.views.get(key) is view:
            self._state.drop_view(key)
        self._deletions.forget(key)


def not_seen(kinds: list[str], target: str) -> str:
    """Say that kinds may not be listed, and what mends it."""
    return (
        f"the agent may not list {', '.join(kinds[:5])}, so whether it is empty cannot be seen: "
        f"run 'kubectl fairlead cluster join {target}' again"
    )


def _is_passing(metadata: JsonObject) -> bool:
    owners = metadata.get("ownerReferences") or ()
    return bool(metadata.get("deletionTimestamp")) or any(owner.get("controller") for owner in owners)
