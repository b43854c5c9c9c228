"""
Deployments: ReplicaSets by template, rolled from the old to the new.

Source: k8s.io/kubernetes pkg/controller/deployment (sync.go, rolling.go, recreate.go, progress.go),
util/deployment_util.go. Orphaned ReplicaSets are not adopted.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import orjson

from fairlead_api import JsonObject
from fairlead_lab import progress
from fairlead_lab.replica_sets import available, replicas_of
from fairlead_lab.rollout import Part, Wanted, rolled, scaled
from fairlead_lab.world import World, is_going
from fairlead_lab.writes import Create, Played, Write, deleted, of_status, patched

HASH_LABEL = "pod-template-hash"
_PREFIX = "deployment.kubernetes.io/"
REVISION, DESIRED, MOST = f"{_PREFIX}revision", f"{_PREFIX}desired-replicas", f"{_PREFIX}max-replicas"
_NOT_COPIED = frozenset({"kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MOST})
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def play(deployment: JsonObject, world: World, now_s: float) -> Played:
    """Take a Deployment one step further in its rollout."""
    sets = sorted(world.owned(deployment, "ReplicaSet"), key=_revision)
    new = next((one for one in sets if _has_template(one, deployment)), None)
    old = [one for one in sets if one is not new]
    if new is not None and not is_going(deployment) and (marks := _marked(deployment, new, old)):
        return Played(marks, now_s)  # the rest goes on from the new versions
    progressed, again_s = progress.status(deployment, new, sets, wanted_of(deployment), now_s)
    writes = of_status(deployment, progressed)
    if is_going(deployment):
        return Played(writes)
    if _is_scaled(deployment, sets):
        writes += _scale(deployment, new, old, world, now_s)
    elif not deployment["spec"].get("paused"):
        rolling = _begin(deployment, old, world) if new is None else _roll(deployment, new, old, world, now_s)
        is_done = new is not None and progress.is_complete(deployment, progressed)
        writes += [*rolling, *(_forgotten(deployment, old) if is_done else ())]
    return Played(writes, again_s)


def wanted_of(deployment: JsonObject) -> Wanted:
    """Return what a Deployment asks for; with ``Recreate`` everything may be unavailable."""
    strategy = deployment["spec"].get("strategy") or {}
    replicas = replicas_of(deployment)
    if strategy.get("type") == "Recreate":
        return Wanted(replicas, 0, replicas)
    rolling = strategy.get("rollingUpdate") or {}
    return Wanted.of(replicas, rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"))


def _is_recreated(deployment: JsonObject) -> bool:
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


def template_hash(template: JsonObject) -> str:
    """Return the value of ``pod-template-hash``: equal templates, equal hash."""
    number = int.from_bytes(sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()[:8], "big")
    digits = []
    for _ in range(10):
        number, digit = divmod(number, len(_LETTERS))
        digits.append(_LETTERS[digit])
    return "".join(digits)


def _has_template(replica_set: JsonObject, deployment: JsonObject) -> bool:
    template = replica_set["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    wanted = deployment["spec"]["template"]
    described = wanted.get("metadata") or {}
    return bool(
        template["spec"] == wanted["spec"]
        and labels == (described.get("labels") or {})
        and (metadata.get("annotations") or {}) == (described.get("annotations") or {})
    )


def _revision(replica_set: JsonObject) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION) or 0)


def _notes(deployment: JsonObject, revision: int) -> dict[str, str]:
    """Return the annotations of a Deployment's newest ReplicaSet."""
    own = deployment["metadata"].get("annotations") or {}
    wanted = wanted_of(deployment)
    copied = {key: value for key, value in own.items() if key not in _NOT_COPIED}
    return {**copied, REVISION: str(revision), DESIRED: str(wanted.replicas), MOST: str(wanted.most)}


def _begin(deployment: JsonObject, old: Sequence[JsonObject], world: World) -> list[Write]:
    """Make the ReplicaSet of a new template, as big as the old ones leave room for."""
    if _is_recreated(deployment):
        shrunk = [_sized(one, 0, deployment) for one in old if replicas_of(one)]
        if shrunk or any(world.owned(one, "Pod") for one in old):
            return list(shrunk)
    wanted = wanted_of(deployment)
    room = wanted.most - sum(map(replicas_of, old))
    size = min(wanted.replicas, max(room, 0)) if old else wanted.replicas
    return [_new_set(deployment, 1 + max(map(_revision, old), default=0), size)]


def _new_set(deployment: JsonObject, revision: int, size: int) -> Create:
    metadata, spec = deployment["metadata"], deployment["spec"]
    hashed = {HASH_LABEL: template_hash(spec["template"])}
    described = spec["template"].get("metadata") or {}
    labels = {**(described.get("labels") or {}), **hashed}
    selector = spec["selector"]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    body: JsonObject = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{hashed[HASH_LABEL]}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": _notes(deployment, revision),
            "ownerReferences": [owner],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **hashed}},
            "template": {**spec["template"], "metadata": {**described, "labels": labels}},
        },
    }
    return Create("ReplicaSet", body)


def _marked(deployment: JsonObject, new: JsonObject, old: Sequence[JsonObject]) -> list[Write]:
    """Bring the revision on the newest ReplicaSet and on the Deployment; an old one that came back counts anew."""
    writes: list[Write] = []
    last = max(map(_revision, old), default=0)
    revision = _revision(new) if _revision(new) > last else last + 1
    notes = new["metadata"].get("annotations") or {}
    wanted = _notes(deployment, revision)
    min_ready_s = deployment["spec"].get("minReadySeconds", 0)
    if not wanted.items() <= notes.items() or new["spec"].get("minReadySeconds", 0) != min_ready_s:
        writes.append(patched(new, {"metadata": {"annotations": wanted}, "spec": {"minReadySeconds": min_ready_s}}))
    if (deployment["metadata"].get("annotations") or {}).get(REVISION) != str(revision):
        writes.append(patched(deployment, {"metadata": {"annotations": {REVISION: str(revision)}}}))
    return writes


def _roll(
    deployment: JsonObject, new: JsonObject, old: Sequence[JsonObject], world: World, now_s: float
) -> list[Write]:
    wanted = wanted_of(deployment)
    if _is_recreated(deployment):
        shrunk = [_sized(one, 0, deployment) for one in old if replicas_of(one)]
        is_clear = not shrunk and not any(world.owned(one, "Pod") for one in old)
        grown = [_sized(new, wanted.replicas, deployment)] if is_clear and replicas_of(new) != wanted.replicas else []
        return [*shrunk, *grown]
    parts = [_part(one, world, now_s) for one in old]
    size, sizes = rolled(wanted, _part(new, world, now_s), parts)
    return _resized(deployment, [new, *old], [size, *sizes])


def _part(replica_set: JsonObject, world: World, now_s: float) -> Part:
    noted = (replica_set["metadata"].get("annotations") or {}).get(MOST) or 0
    return Part(replicas_of(replica_set), available(replica_set, world, now_s), int(noted))


def _is_scaled(deployment: JsonObject, sets: Sequence[JsonObject]) -> bool:
    """Tell whether ``replicas`` changed since the ReplicaSets were last sized."""
    noted = [(one["metadata"].get("annotations") or {}).get(DESIRED) for one in sets if replicas_of(one)]
    return any(one is not None and one != str(replicas_of(deployment)) for one in noted)


def _scale(
    deployment: JsonObject, new: JsonObject | None, old: Sequence[JsonObject], world: World, now_s: float
) -> list[Write]:
    newest_first = [*([new] if new is not None else ()), *reversed(old)]
    sizes = scaled(wanted_of(deployment), [_part(one, world, now_s) for one in newest_first])
    notes = {"annotations": {DESIRED: str(replicas_of(deployment)), MOST: str(wanted_of(deployment).most)}}
    return [
        patched(one, {"spec": {"replicas": size}, "metadata": notes})
        for one, size in zip(newest_first, sizes, strict=True)
        if replicas_of(one) or size
    ]


def _resized(deployment: JsonObject, sets: Sequence[JsonObject], sizes: Sequence[int]) -> list[Write]:
    pairs = zip(sets, sizes, strict=True)
    return [_sized(one, size, deployment) for one, size in pairs if replicas_of(one) != size]


def _sized(replica_set: JsonObject, size: int, deployment: JsonObject) -> Write:
    notes = {DESIRED: str(replicas_of(deployment)), MOST: str(wanted_of(deployment).most)}
    return patched(replica_set, {"spec": {"replicas": size}, "metadata": {"annotations": notes}})


def _forgotten(deployment: JsonObject, old: Sequence[JsonObject]) -> list[Write]:
    """Delete the oldest empty ReplicaSets beyond ``revisionHistoryLimit``."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    empty = [one for one in old if not replicas_of(one) and not (one.get("status") or {}).get("replicas")]
    empty = [one for one in empty if not is_going(one)]
    surplus = max(len(empty) - (10 if limit is None else limit), 0)
    return [deleted(one) for one in empty[:surplus]]
