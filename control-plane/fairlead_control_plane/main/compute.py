"""
The transparent multi-cluster half, put together: views, agents, SyncTargets.

Needs the catalog and the store before there is a registry (effects), and the registry afterwards (routes and
controllers); hence two steps.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from fairlead_api import JsonObject
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.agents import BOOTSTRAP_PREFIX, ENROLLING, AgentTokens, pinned_key, thumbprint
from fairlead_control_plane.auth.authorize import Authorizer
from fairlead_control_plane.auth.leaders import Leaders
from fairlead_control_plane.controllers.bin import RETENTION_S, BinKeeper
from fairlead_control_plane.controllers.heartbeats import Heartbeats
from fairlead_control_plane.controllers.runner import Controller
from fairlead_control_plane.controllers.synctargets import SyncTargetEffects, SyncTargetReports
from fairlead_control_plane.controllers.views import ViewController
from fairlead_control_plane.http.agent_door import AgentDoor
from fairlead_control_plane.http.bin_view import BinWorkspace
from fairlead_control_plane.http.syncer_status import StatusWriter
from fairlead_control_plane.http.syncer_view import SyncerWorkspace
from fairlead_control_plane.http.upsync import UpsyncerWorkspace
from fairlead_control_plane.http.upsync_bounds import UpsyncBounds
from fairlead_control_plane.http.virtual import VirtualWorkspace
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.change import Effects
from fairlead_control_plane.kinds.encoding import decode
from fairlead_control_plane.kinds.keys import object_key
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.main.announcing import Announcer
from fairlead_control_plane.main.readings import Agents
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.objects import EXPORTS, SCHEMAS, Records
from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.assignment import Assignments
from fairlead_control_plane.views.bin import Bin
from fairlead_control_plane.views.effects import AcceptanceEffects, AssignmentEffects, ViewEffects
from fairlead_control_plane.views.targets import TargetIndex
from fairlead_control_plane.watch.hub import Hub

_log = structlog.get_logger()
SYNCTARGETS = ("workload.kcp.io", "synctargets")
ASSIGNMENTS = ("scheduling.fairlead.io", "assignments")
_EVENTS = ("", "events")

Resolve = Callable[[str], Awaitable[str | None]]
Mint = Callable[[str, str, str, JsonObject, str], Awaitable[JsonObject]]


@dataclass(frozen=True, slots=True)
class Compute:
    """
    The first step: what writes must know.

    Attributes:
        records: Our kinds and the built-in ones.
        effects: For the registry, in order.
    """

    store: Store
    records: Records
    targets: TargetIndex
    assignments: Assignments
    effects: tuple[Effects, ...]
    bin: Bin | None
    bin_retention_s: float

    @classmethod
    async def open(
        cls, store: Store, records: Records, external_url: Callable[[], str], *, bin_retention_s: float = RETENTION_S
    ) -> Compute:
        """
        Load the SyncTargets and build the effects.

        Args:
            external_url: Asked when a SyncTarget is created.
            bin_retention_s: How long what is deleted is kept; 0 for not at all.
        """
        targets = TargetIndex(store, records[SYNCTARGETS])
        await targets.start()
        assignments = Assignments(store, records[ASSIGNMENTS])
        effects: tuple[Effects, ...] = (
            SyncTargetEffects(external_url, _now),
            AcceptanceEffects(targets),
            ViewEffects(store, targets, assignments, _now),
            AssignmentEffects(store, targets, assignments, _now),
        )
        kept = Bin(store, _now) if bin_retention_s else None
        if kept is not None:
            effects = (*effects, kept)
        return cls(store, records, targets, assignments, effects, kept, bin_retention_s)

    async def assigned(self, cluster: str, namespace: str, uid: str) -> tuple[str, ...] | None:
        """Return the keys of the rows by which a namespace runs on a target now; None when it does not."""
        live = self.targets.compare(uid)
        key = rows.namespace_row_key(uid, cluster, namespace)
        row = None if live is None else await self.store.get(key)
        return (key, live.key) if live and row is not None and rows.decode(row).state == rows.SYNC else None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the second step needs of the other rooms; ``mint`` issues a service account's token."""

    hub: Hub
    catalog: Catalog
    registry: Registry
    authorizer: Authorizer
    resolve: Resolve
    mint: Mint


@dataclass(frozen=True, slots=True)
class ComputeParts:
    """
    The second step's outcome.

    Attributes:
        tokens: Verifies agents' bearer tokens.
        virtual: Virtual workspaces by name.
        controllers: For their runner.
        background: Endless work to run beside it.
        agents: For the metrics.
    """

    tokens: AgentTokens
    targets: TargetIndex
    virtual: dict[str, VirtualWorkspace]
    controllers: Sequence[Controller]
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]]
    agents: Agents

    async def authenticate(self, token: str) -> User | None:
        """Return the agent a token stands for, while its SyncTarget lives and still has that key pinned."""
        if token.startswith(BOOTSTRAP_PREFIX):
            return ENROLLING
        claims = self.tokens.verify(token)
        target = None if claims is None else self.targets.get(claims.uid)
        if claims is None or target is None:
            return None
        key = pinned_key(target)
        return claims.user if key is not None and thumbprint(key) == claims.thumbprint else None


def build(compute: Compute, around: Surroundings, key: ec.EllipticCurvePrivateKey) -> ComputeParts:
    """Build routes and controllers over a registry that has the effects of the first step."""
    store, targets = compute.store, compute.targets
    synctargets = compute.records[SYNCTARGETS]
    tokens = AgentTokens(key, key.public_key(), time.time)
    exported = _Exported(store, compute.records, around.resolve)
    beats = Heartbeats(time.monotonic)
    announce = Announcer(around.registry, compute.records[_EVENTS], time.time)
    reports = SyncTargetReports(around.registry, targets, synctargets, beats, exported, _now)
    reports.announce = announce
    statuses = StatusWriter(store, around.registry, around.catalog, compute.assignments, announce)

    async def may(user: User, verb: str, cluster: str, name: str) -> bool:
        group, resource = SYNCTARGETS
        path = f"/apis/{group}/v1alpha1/{resource}/{name}"
        info = RequestInfo(cluster, path, verb, True, group, "v1alpha1", resource=resource, name=name)
        return (await around.authorizer.authorize(user, info)).allowed

    door = AgentDoor(around.registry, synctargets, tokens, Leaders(time.monotonic), beats, time.time)
    syncer = SyncerWorkspace(
        store, around.hub, around.catalog, targets, door, reports, statuses, may, around.mint, compute.bin
    )  # fmt: skip
    views = ViewController(
        store,
        around.registry,
        around.catalog,
        targets,
        compute.assignments,
        drop=statuses.drop,
        now=_now,
        clock_s=time.monotonic,
    )
    keeper = BinKeeper(store, time.time, retention_s=compute.bin_retention_s)
    virtual: dict[str, VirtualWorkspace] = {
        "bin": BinWorkspace(store, around.authorizer, around.resolve, compute.bin_retention_s, targets.name_of),
        "syncer": syncer,
        "upsyncer": UpsyncerWorkspace(syncer, _now, UpsyncBounds(time.monotonic)),
    }
    return ComputeParts(tokens, targets, virtual, (views, keeper), [reports.run], Agents(beats, targets))


@dataclass(frozen=True, slots=True)
class _Exported:
    """Lists what an APIExport offers, with its identity; asked with every heartbeat, so large schemas are read once."""

    store: Store
    records: Records
    resolve: Resolve
    _offers: dict[str, tuple[int, JsonObject]] = field(default_factory=dict)

    async def __call__(self, path: str, name: str) -> list[JsonObject]:
        """Return ``{"group", "resource", "versions", "identityHash"}`` of each; nothing without such an export."""
        cluster = await self.resolve(path)
        reader = ObjectReader(self.store)
        export = None if cluster is None else await reader.get(self.records[EXPORTS], cluster, "", name)
        if cluster is None or export is None:
            return []
        identity = (export.get("status") or {}).get("identityHash", "")
        names = (export.get("spec") or {}).get("latestResourceSchemas") or ()
        found = [await self._offer(object_key(self.records[SCHEMAS], cluster, "", one)) for one in names]
        return [{**offer, "identityHash": identity} for offer in found if offer is not None]

    async def _offer(self, key: str) -> JsonObject | None:
        """Return group, resource and served versions of a schema; None when it is not there."""
        row = await self.store.get(key)
        if row is None:
            self._offers.pop(key, None)
            return None
        kept = self._offers.get(key)
        if kept is None or kept[0] != row.mod_revision:
            spec = decode(row)["spec"]
            versions = sorted(version["name"] for version in spec["versions"] if version.get("served"))
            offer = {"group": spec.get("group", ""), "resource": spec["names"]["plural"], "versions": versions}
            kept = self._offers[key] = (row.mod_revision, offer)
        return kept[1]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
