"""
How long it takes to place 10,000 namespaces of 1,000 workspaces over 1,000 SyncTargets; the aim is two seconds.

``python -m bench.scheduling`` prints each of five runs; nothing but the decisions is measured.
"""

from __future__ import annotations

import time

from fairlead_scheduler.engine import decide
from fairlead_scheduler.world import COMPUTE_ANNOTATION, World

WORKSPACES, NAMESPACES, TARGETS = 1000, 10, 1000
NOW = "2026-01-01T00:00:00Z"
_ROUNDS = 5


def crowd() -> World:
    """Return the world before anything is placed."""
    made = World(clusters={"root:infra": "infra"})
    synced = [{"group": "apps", "resource": "deployments", "identityHash": "id", "state": "Accepted"}]
    status = {"conditions": [{"type": "Ready", "status": "True"}], "syncedResources": synced}
    for number in range(TARGETS):
        labels = {"internal.workload.kcp.io/key": f"k{number}"}
        metadata = {"name": f"t{number}", "uid": f"u{number}", "labels": labels}
        made.put("targets", ("infra", f"t{number}"), {"metadata": metadata, "spec": {}, "status": status})
    made.put("locations", ("infra", "default"), {"metadata": {"name": "default"}, "spec": {"instanceSelector": {}}})
    spec = {"locationSelectors": [{}], "namespaceSelector": {}, "locationWorkspace": "root:infra"}
    bound = {"boundResources": [{"group": "apps", "resource": "deployments", "schema": {"identityHash": "id"}}]}
    marks = {"name": "kubernetes", "annotations": {COMPUTE_ANNOTATION: "true"}}
    for number in range(WORKSPACES):
        cluster = f"c{number}"
        made.put("placements", (cluster, "p"), {"metadata": {"name": "p"}, "spec": spec})
        made.put("bindings", (cluster, "kubernetes"), {"metadata": marks, "status": bound})
        for name in (f"n{each}" for each in range(NAMESPACES)):
            made.put("namespaces", (cluster, name), {"metadata": {"name": name, "uid": f"{cluster}-{name}"}})
    return made


def place(world: World) -> None:
    """Decide for each workspace in turn, as the scheduler does, and take note of it."""
    for cluster in world.placements.clusters():
        writes = decide(world, cluster, world.snapshot(1000.0, 300.0), NOW)
        for name, spec in writes.assignments.items():
            world.put("assignments", (cluster, name), {"metadata": {"name": name, "generation": 1}, "spec": spec})


def main() -> None:
    """Measure and print."""
    for _ in range(_ROUNDS):
        world = crowd()
        started_s = time.perf_counter()
        place(world)
        print(f"{WORKSPACES * NAMESPACES} namespaces placed in {time.perf_counter() - started_s:.2f} s")


if __name__ == "__main__":
    main()
