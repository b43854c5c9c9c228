"""How a simulated cluster behaves, and the names by which it is told apart from a real one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

READY_AFTER = "lab.fairlead.io/ready-after"
"""Annotation of a pod: seconds (``30s``, ``500ms``, ``2m``) until it is ready, or ``never``."""
FAILED = "lab.fairlead.io/failed"
"""Annotation of a node: ``true`` while it plays dead."""
SIMULATED = "lab.fairlead.io/simulated"
"""Label of the nodes that the lab plays; it leaves others alone."""

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")


@dataclass(frozen=True, slots=True)
class LabSettings:
    """
    One simulated cluster.

    Attributes:
        name: Of the cluster; begins the names of its nodes.
        region: Shown as a label of its nodes; "" for none.
        nodes: How many.
        ready_after_s: From a pod's start to its readiness. Default: long enough to be seen, short enough to wait for.
        stop_s: From a pod's deletion to its end, at most its own grace. Default: containers that end when told to.
        evict_after_s: From a node's failure to the deletion of its pods (Kubernetes: 300). Default: for demos.
        lease_s: Between renewals of the nodes' leases. Default: a kubelet's.
    """

    name: str
    region: str = ""
    nodes: int = 2
    ready_after_s: float = 1.0
    stop_s: float = 0.5
    evict_after_s: float = 5.0
    lease_s: float = 10.0

    @property
    def node_names(self) -> tuple[str, ...]:
        """Return the names of its nodes."""
        return tuple(f"{self.name}-node-{index}" for index in range(self.nodes))


def ready_after_s(annotations: Mapping[str, str], default_s: float) -> float | None:
    """
    Return the seconds until a pod with these annotations is ready, or None for never.

    A text that is no duration counts as not given: a typing error must not keep a pod from being played.
    """
    text = annotations.get(READY_AFTER, "").strip()
    if text == "never":
        return None
    found = _DURATION.fullmatch(text)
    return float(found[1]) * _UNITS_S[found[2] or "s"] if found else default_s
