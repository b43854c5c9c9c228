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
