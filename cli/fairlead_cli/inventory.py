"""
What in a physical cluster bears our marks, and what became of it upstream: pure judgement of what was read.

An object is only ever called an orphan when its SyncTarget is known, its views were read completely after the cluster
was, and none of them speaks of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead_api import JsonObject, names

LIVE, WAITING, HELD, ORPHAN, FOREIGN = "live", "waiting", "held", "orphan", "foreign"
AGENT_PREFIX = "kcp-syncer-"
UPSTREAM_UID = "internal.workload.kcp.io/upstream-uid"
_DOWNSTREAM_UID = "internal.workload.kcp.io/downstream-uid"
_ADOPTION = "internal.workload.kcp.io/adoption"
_REASON = "internal.workload.kcp.io/reason"
_MANAGER = "syncer"
_UP = {("", "configmaps", "kcp-root-ca.crt"): "kube-root-ca.crt"}

Kind = tuple[str, str]
"""Group and plural name."""
ViewKey = tuple[str, str, str, str, str]
"""Group, resource, logical cluster, namespace ("" for a namespace itself), name; all upstream."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    An object of the cluster that bears a mark of ours.

    Attributes:
        kind: Of which resource.
        body: As read.
        locator: Of the namespace it is, or is in; None when that is none of ours.
    """

    kind: Kind
    body: JsonObject
    locator: names.Locator | None = None

    @property
    def said(self) -> str:
        """Return ``resource[.group]/[namespace/]name``."""
        metadata = self.body["metadata"]
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        return f"{'.'.join(part for part in (self.kind[1], self.kind[0]) if part)}/{place}{metadata['name']}"


@dataclass(frozen=True, slots=True)
class Known:
    """
    What upstream knows.

    Attributes:
        targets: SyncTargets by uid.
        views: Every view, by the uid of its SyncTarget; complete for each uid that is in it.
        forsaken: Uid of a SyncTarget that the user says is gone for good; "" for none.
    """

    targets: Mapping[str, JsonObject]
    views: Mapping[str, Mapping[ViewKey, JsonObject]] = field(default_factory=dict)
    forsaken: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """An object and what it is: ``live``, ``waiting``, ``held``, ``orphan`` or ``foreign``, with the reason."""

    found: Found
    state: str
    why: str


def locator_of(obj: JsonObject) -> names.Locator | None:
    """Return what a namespace says it stands for; None when it says nothing that can be read."""
    text = (obj["metadata"].get("annotations") or {}).get(names.LOCATOR_ANNOTATION)
    try:
        return names.Locator.from_json(text) if text else None
    except ValueError:
        return None


def judge(found: Found, known: Known) -> Judged:
    """Say what an object is."""
    name = str(found.body["metadata"]["name"])
    if found.locator is None:
        return _agents(found, name, known)
    uid = found.locator.target_uid
    if uid not in known.targets:
        if uid == known.forsaken:
            return Judged(found, ORPHAN, f"of SyncTarget {found.locator.target_name}, which is gone for good")
        return Judged(found, FOREIGN, f"of SyncTarget {found.locator.target_name} ({uid}), which is not known here")
    if UPSTREAM_UID in _annotations(found.body):
        return _synced(found, found.locator, known.views[uid])
    return _of_namespace(found, name, found.locator, known.views[uid])


def _of_namespace(found: Found, name: str, locator: names.Locator, views: Mapping[ViewKey, JsonObject]) -> Judged:
    """Judge a namespace, and what agents make in one for themselves, which goes with it."""
    view = views.get(_namespace_key(locator))
    if found.kind == ("", "namespaces"):
        if name not in {names.downstream_namespace(locator), _given_home(view)}:
            return Judged(found, FOREIGN, "its locator is another namespace's")
        if _is_another(view, found.body):
            return Judged(found, FOREIGN, "bears our marks, but another was made under this name")
    return Judged(found, *_of_view(view))


def _synced(found: Found, locator: names.Locator, views: Mapping[ViewKey, JsonObject]) -> Judged:
    metadata = found.body["metadata"]
    name = _UP.get((*found.kind, metadata["name"]), metadata["name"])
    view = views.get((*found.kind, locator.cluster, locator.namespace, name))
    if _is_another(view, found.body):
        return Judged(found, FOREIGN, "bears our marks, but another was made under this name")
    if not any(entry.get("manager") == _MANAGER for entry in metadata.get("managedFields") or ()):
        return Judged(found, FOREIGN, "bears our marks, but no agent has ever written it")
    return Judged(found, *_kept(found.body, *_of_view(view)))


def _kept(body: JsonObject, state: str, why: str) -> tuple[str, str]:
    """Name the finalizers that keep an object which is being deleted."""
    finalizers = body["metadata"].get("finalizers") if body["metadata"].get("deletionTimestamp") else ()
    return state, f"{why}; waits for finalizers [{', '.join(finalizers)}]" if finalizers and why else why


def _given_home(view: JsonObject | None) -> str:
    """Return the downstream namespace that was handed over for one upstream; "" for none."""
    text = _annotations(view).get(_ADOPTION) if view is not None else ""
    return str(json.loads(text)["home"]) if text else ""


def _is_another(view: JsonObject | None, body: JsonObject) -> bool:
    """Tell whether upstream knows that what an agent made under a name is not what is there."""
    recorded = _annotations(view).get(_DOWNSTREAM_UID) if view is not None else ""
    return bool(recorded) and recorded != body["metadata"]["uid"]


def _of_view(view: JsonObject | None) -> tuple[str, str]:
    if view is None:
        return ORPHAN, "upstream knows nothing of it"
    if not view["metadata"].get("deletionTimestamp"):
        return LIVE, ""
    reason = _annotations(view).get(_REASON)
    if reason == "DeletionHeld":
        return HELD, "its deletion waits for approval"
    cause = _annotations(view).get("internal.workload.kcp.io/cause", "")
    return WAITING, f"is to be deleted ({cause})" + (f", which is not possible: {reason}" if reason else "")


def _agents(found: Found, name: str, known: Known) -> Judged:
    agents = [names.syncer_id(one["metadata"]["name"], uid) for uid, one in known.targets.items()]
    if any(name.startswith(agent) for agent in agents):
        return Judged(found, LIVE, "")
    if name.startswith(AGENT_PREFIX):
        return Judged(found, FOREIGN, "of an agent whose SyncTarget is not known here")
    return Judged(found, FOREIGN, "bears our marks outside of our namespaces")


def _namespace_key(locator: names.Locator) -> ViewKey:
    return ("", "namespaces", locator.cluster, "", locator.namespace)


def _annotations(obj: JsonObject) -> Mapping[str, str]:
    found: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return found


def has_controller(obj: JsonObject) -> bool:
    """Tell whether an object is another's, and comes and goes with it."""
    return any(owner.get("controller") for owner in obj["metadata"].get("ownerReferences") or ())


def _is_agents_binding(kind: Kind, obj: JsonObject) -> bool:
    """Tell whether an object is the RoleBinding by which an agent takes its rights in a namespace that it made."""
    name = str(obj["metadata"]["name"])
    is_named = name.startswith(AGENT_PREFIX) and (obj.get("roleRef") or {}).get("name") == name
    return kind == ("rbac.authorization.k8s.io", "rolebindings") and is_named


def digest(judged: Iterable[Judged]) -> str:
    """Return the name of exactly this set of objects; "" for none."""
    uids = sorted(f"{one.found.said} {one.found.body['metadata']['uid']}" for one in judged)
    return hashlib.sha256("\n".join(uids).encode()).hexdigest()[:16] if uids else ""


def strangers(contents: Sequence[tuple[Kind, JsonObject]]) -> list[str]:
    """Return what in a namespace of ours is nobody's we know, as ``resource/name``: it must not go with it."""
    return [
        f"{kind[1]}/{obj['metadata']['name']}"
        for kind, obj in contents
        if not (
            kind[1] in {"events", "endpoints", "endpointslices", "leases"}
            or has_controller(obj)
            or _is_agents_binding(kind, obj)
            or (kind[1], obj["metadata"]["name"])
            in {("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")}
            or names.DOWNSTREAM_CLUSTER_LABEL in (obj["metadata"].get("labels") or {})
        )
    ]
