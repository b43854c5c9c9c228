"""Writes a history: turns objects as they were and as they are now into records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_api.names import Locator
from tests.support.checking import essence
from tests.support.checking.history import Assigned, Found, Owner, Record, Reported, Written

UPSTREAM_UID = "internal.workload.kcp.io/upstream-uid"
LOCATOR = "kcp.io/namespace-locator"
_ROOT_CA = "kcp-root-ca.crt"
_FOREIGNERS = frozenset({"user", "system"})
"""Actors that make no objects of ours in a cluster."""
ASSIGNMENTS = "assignments.scheduling.fairlead.io"


@dataclass(slots=True)
class Recorder:
    """
    Collects records; where downstream namespaces lead is remembered, so they must be seen before what is in them.

    Attributes:
        records: Everything so far.
        homes: (workload cluster, upstream namespace) by (where, downstream namespace).
        births: Whom an object stands for by (where, uid), as it was first seen: who edits marks later, or makes an
            object with copies of them, changes nothing.
    """

    records: list[Record] = field(default_factory=list)
    homes: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    births: dict[tuple[str, str], Owner | None] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Add a record made elsewhere."""
        self.records.append(record)

    def wrote(
        self, at_s: float, where: str, actor: str, resource: str, old: JsonObject | None, new: JsonObject | None
    ) -> None:
        """Record that an object was created (no ``old``), updated or deleted (no ``new``)."""
        obj = new if new is not None else old
        if obj is None:
            return
        metadata = obj["metadata"]
        if old is not None and new is not None and old["metadata"].get("uid") != metadata.get("uid"):
            self.wrote(at_s, where, actor, resource, old, None)
            old = None
        cluster = _cluster(obj) if not where else ""
        if resource == ASSIGNMENTS and not where:
            self.records.append(_assigned(at_s, cluster, obj, is_gone=new is None))
            return
        verb = "delete" if new is None else "update" if old is not None else "create"
        if where and old is not None and _is_going(obj) and not _is_going(old):
            verb = "delete"  # asked for; what finalizers and content of a namespace still take is not the asker's
        changed = essence.changed_parts(old, new) if old is not None and new is not None else ()
        owner = self.owner(where, resource, obj, is_foreign=old is None and actor in _FOREIGNERS)
        is_minted = _is_minted(resource, owner)
        self.records.append(
            Written(
                at_s,
                where,
                int(metadata.get("resourceVersion") or 0),
                verb,
                actor,
                resource,
                cluster,
                metadata.get("namespace", ""),
                metadata["name"],
                metadata.get("uid", ""),
                owner,
                "" if is_minted else essence.content(resource, obj),
                "" if is_minted else essence.whole(obj),
                changed,
            )
        )

    def found(self, phase: str, where: str, resource: str, obj: JsonObject) -> None:
        """Record an object of a dump."""
        metadata = obj["metadata"]
        owner = self.owner(where, resource, obj)
        is_minted = _is_minted(resource, owner)
        self.records.append(
            Found(
                phase,
                where,
                resource,
                _cluster(obj) if not where else "",
                metadata.get("namespace", ""),
                metadata["name"],
                metadata.get("uid", ""),
                owner,
                "" if is_minted else essence.content(resource, obj),
                "" if is_minted else essence.whole(obj),
                essence.status(obj),
            )
        )

    def row(self, at_s: float, key: str, value: JsonObject) -> None:
        """Record what a target has done by a view row as written (``/views/<target>/<object key>``)."""
        target, resource, cluster, namespace, name = row_place(key)
        if value.get("state") == "Sync" and value.get("observed"):
            report = value.get("report") or {}
            generation, reason = int(value["observed"]), str(report.get("reason") or "")
            self.records.append(
                Reported(at_s, target, resource, cluster, namespace, name, value["uid"], generation, reason)
            )

    def found_row(self, key: str, value: JsonObject) -> None:
        """Record a view row as it is in the end."""
        target, resource, cluster, namespace, name = row_place(key)
        reason = str((value.get("report") or {}).get("reason") or "")
        self.records.append(
            Found(
                "last", "", resource, cluster, namespace, name, value["uid"],
                content=value.get("state", ""), view=target, reason=reason,
            )
        )  # fmt: skip

    def owner(self, where: str, resource: str, obj: JsonObject, *, is_foreign: bool = False) -> Owner | None:
        """Return whom a downstream object stands for; None for a foreign one, one that foreigners made included."""
        if not where:
            return None
        key = (where, str(obj["metadata"].get("uid", "")))
        if key not in self.births:
            self.births[key] = None if is_foreign else self._by_marks(where, resource, obj)
        return self.births[key]

    def _by_marks(self, where: str, resource: str, obj: JsonObject) -> Owner | None:
        metadata = obj["metadata"]
        annotations = metadata.get("annotations") or {}
        if resource == "namespaces":
            home = _home(annotations.get(LOCATOR, ""))
            if home is not None:
                self.homes[where, metadata["name"]] = home
            return None if home is None else Owner(home[0], "", home[1])
        home = self.homes.get((where, metadata.get("namespace", "")))
        if home is None:
            return None
        if annotations.get(UPSTREAM_UID):
            name = "kube-root-ca.crt" if metadata["name"] == _ROOT_CA else metadata["name"]
            return Owner(*home, name, annotations[UPSTREAM_UID])
        is_token = resource == "secrets" and metadata["name"].startswith("kcp-token-")
        return Owner(*home, metadata["name"]) if is_token else None


def row_place(key: str) -> tuple[str, str, str, str, str]:
    """Return target, resource, cluster, namespace and name of a view row's key."""
    _, _, target, group, plural, _, cluster, namespace, name = key.split("/")
    resource = plural if group == "core" else f"{plural}.{group}"
    return target, resource, cluster, "" if namespace == "-" else namespace, name


def _assigned(at_s: float, cluster: str, obj: JsonObject, *, is_gone: bool) -> Assigned:
    spec = obj.get("spec") or {}
    targets: Iterable[JsonObject] = () if is_gone else spec.get("targets") or ()
    states = {target["uid"]: target.get("state", "Sync") for target in targets}
    revision = int(obj["metadata"].get("resourceVersion") or 0)
    return Assigned(at_s, revision, cluster, obj["metadata"]["name"], spec.get("namespaceUID", ""), states)


def _cluster(obj: JsonObject) -> str:
    return str((obj["metadata"].get("annotations") or {}).get("kcp.io/cluster", ""))


def _is_minted(resource: str, owner: Owner | None) -> bool:
    """Tell whether a Secret holds a token, which no history may show and which is another each time."""
    return resource == "secrets" and owner is not None and not owner.uid


def _is_going(obj: JsonObject) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def _home(locator: str) -> tuple[str, str] | None:
    if not locator:
        return None
    try:
        found = Locator.from_json(locator)
    except ValueError:
        return None
    return found.cluster, found.namespace
