"""
What a SyncTarget says of its agents: whether their version is supported, who waits, what stands in their way.

Pure. A condition that has nothing to say is not there. None of them is an input to scheduling: workloads go on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairlead_api import JsonObject

SUPPORTED_BACK = 2
"""By how many minor versions an agent may be older than the control plane."""
INVENTORY = "InventoryConsistent"
"""Condition: everything in the cluster that bears the marks of the SyncTarget's agent has a view."""
_MOST_KINDS, _MOST_EXAMPLES, _SHOWN_KINDS, _LONGEST = 20, 5, 5, 320
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def version_condition(agent: str, own: str) -> JsonObject | None:
    """
    Return ``AgentVersionSupported``; None for an agent of this minor version, or of none that can be read.

    Args:
        agent: Version as the agent says it.
        own: Version of the control plane.
    """
    its, ours = _VERSION.match(agent), _VERSION.match(own)
    if its is None or ours is None or its.groups() == ours.groups():
        return None
    (major, minor), (own_major, own_minor) = (tuple(map(int, one.groups())) for one in (its, ours))
    condition = {"type": "AgentVersionSupported", "severity": "Warning"}
    if (major, minor) > (own_major, own_minor):
        message = f"agent {agent} is newer than the control plane ({own}): upgrade the control plane first"
        return {**condition, "status": "False", "reason": "AgentTooNew", "message": message}
    if major == own_major and own_minor - minor <= SUPPORTED_BACK:
        message = f"agent {agent} is older than the control plane ({own}): upgrade it before the control plane again"
        return {**condition, "status": "True", "reason": "AgentOlder", "message": message}
    message = (
        f"agent {agent} is more than {SUPPORTED_BACK} minor versions older than the control plane ({own}): upgrade it; "
        "what it runs goes on"
    )
    return {**condition, "severity": "Error", "status": "False", "reason": "AgentTooOld", "message": message}


def standby_condition(waiting: Sequence[str]) -> JsonObject | None:
    """Return ``StandbyAgents`` with the hosts of the agents that wait for their turn; None when none does."""
    if not waiting:
        return None
    message = f"{len(waiting)} waiting while another is at work: {', '.join(waiting)}"
    return {"type": "StandbyAgents", "status": "True", "severity": "Info", "reason": "Waiting", "message": message}


def lost_condition(why: str | None) -> JsonObject | None:
    """Return ``ClusterReachable`` false with what the agent says of its cluster; None when it says nothing."""
    if not why:
        return None
    reason = "CredentialsRefused" if why.startswith("401") else "ClusterUnreachable"
    message = f"the agent cannot speak to its cluster: {why}"
    return {
        "type": "ClusterReachable", "status": "False", "severity": "Error", "reason": reason, "message": message,
    }  # fmt: skip


def inventory_condition(name: str, leftovers: JsonObject | None) -> JsonObject | None:
    """
    Return ``InventoryConsistent``; None when the agent did not say.

    Args:
        name: Of the SyncTarget.
        leftovers: What the agent says; see :func:`is_inventory`.
    """
    if leftovers is None:
        return None
    if not leftovers["count"]:
        return {"type": INVENTORY, "status": "True"}
    shown = [
        f"{one['count']} {one['resource']}" + (f" in {one['namespace']}" if one["namespace"] else "")
        for one in leftovers["kinds"][:_SHOWN_KINDS]
    ]
    more = "" if len(leftovers["kinds"]) <= _SHOWN_KINDS else " and others"
    message = (
        f"{leftovers['count']} objects in the cluster bear its marks and nothing here explains them: {', '.join(shown)}"
        f"{more}; among them {', '.join(leftovers['examples'])}. Nothing is deleted because of that; to look at them: "
        f"kubectl fairlead leftovers {name}"
    )
    return {
        "type": INVENTORY, "status": "False", "severity": "Warning", "reason": "UnexplainedObjects", "message": message,
    }  # fmt: skip


def is_inventory(leftovers: JsonObject) -> bool:
    """Tell whether this is ``{count, kinds: [{resource, namespace, count}], examples: [text]}`` within its bounds."""
    kinds, examples = leftovers.get("kinds"), leftovers.get("examples")
    return (
        set(leftovers) == {"count", "kinds", "examples"}
        and _is_count(leftovers["count"])
        and isinstance(kinds, list)
        and len(kinds) <= _MOST_KINDS
        and all(_is_kind(one) for one in kinds)
        and isinstance(examples, list)
        and len(examples) <= _MOST_EXAMPLES
        and all(_is_text(one) for one in examples)
    )


def _is_kind(one: object) -> bool:
    return (
        isinstance(one, dict)
        and set(one) == {"resource", "namespace", "count"}
        and _is_text(one["resource"])
        and _is_text(one["namespace"])
        and _is_count(one["count"])
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0
