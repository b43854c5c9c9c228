"""All checks, in the order in which they are made. Pure data; ``docs/reference/checks.md`` has an anchor for each."""

from __future__ import annotations

from fairlead_cli.checking.model import Check, Level, Spec, Work

PLANE, SCHEDULER, CLUSTERS = "control plane", "scheduler", "clusters"
CLUSTER, AGENT, BEFORE = "cluster", "agent", "before joining"


def _of(category: str, id_: str, description: str, *, warns: bool = False, fatal: bool = False) -> Spec:
    return Spec(id_, category, description, Level.WARNING if warns else Level.ERROR, fatal)


CATALOGUE = (
    _of(PLANE, "kubeconfig", "kubeconfig names a workspace of Fairlead", fatal=True),
    _of(PLANE, "api-reachable", "control plane can be reached", fatal=True),
    _of(PLANE, "api-trusted", "control plane's certificate is trusted", fatal=True),
    _of(PLANE, "api-certificate", "control plane's certificate is valid for a while"),
    _of(PLANE, "api-authority", "control plane's certificate authority is valid for long"),
    _of(PLANE, "api-version", "command line and control plane go together"),
    _of(PLANE, "api-ready", "control plane is ready"),
    _of(PLANE, "api-store", "control plane's store has room"),
    _of(PLANE, "api-clock", "clocks of this machine and the control plane agree"),
    _of(PLANE, "api-write", "control plane takes writes"),
    _of(PLANE, "user-rights", "user may manage clusters", warns=True),
    _of(PLANE, "user-credentials", "user's credentials are valid for a while"),
    _of(PLANE, "compute-export", "workspaces can bind compute"),
    _of(SCHEDULER, "scheduler-alive", "scheduler is alive"),
    _of(SCHEDULER, "namespaces-decided", "namespaces are decided on in time"),
    _of(SCHEDULER, "namespaces-schedulable", "namespaces have a cluster to run in", warns=True),
    _of(CLUSTERS, "clusters-joined", "clusters have been joined", warns=True, fatal=True),
    _of(CLUSTER, "cluster-ready", "cluster is Ready"),
    _of(CLUSTER, "cluster-heartbeat", "agent was heard of lately"),
    _of(CLUSTER, "cluster-schedulable", "cluster takes new work", warns=True),
    _of(CLUSTER, "cluster-deletions", "no deletions are held back"),
    _of(CLUSTER, "cluster-inventory", "all that bears the agent's marks in the cluster is explained", warns=True),
    _of(CLUSTER, "cluster-kubernetes", "cluster's Kubernetes version is supported"),
    _of(CLUSTER, "cluster-apis", "cluster offers the APIs that workspaces bind", warns=True),
    _of(CLUSTER, "cluster-once", "cluster is joined once", warns=True),
    _of(CLUSTER, "agent-version", "agent and control plane go together"),
    _of(CLUSTER, "agent-authorized", "agent may write what it has to sync"),
    _of(AGENT, "agent-cluster", "agent's cluster can be reached from here", fatal=True),
    _of(AGENT, "agent-running", "agent is running"),
    _of(AGENT, "agent-pods", "agent's Pods are in order"),
    _of(AGENT, "agent-rights", "agent's rights are those of this version"),
    _of(AGENT, "agent-namespace", "agent's namespace enforces the restricted pod security level", warns=True),
    _of(AGENT, "agent-upstream", "agent knows the control plane's address and authority"),
    _of(AGENT, "agent-credentials", "agent's credentials for the cluster are valid"),
    _of(AGENT, "agent-leftovers", "cluster holds nothing of forgotten SyncTargets", warns=True),
    _of(BEFORE, "join-cluster", "cluster can be reached, and is one", fatal=True),
    _of(BEFORE, "join-kubernetes", "cluster's Kubernetes version is supported"),
    _of(BEFORE, "join-policy-api", "cluster can hold the agent to its own (ValidatingAdmissionPolicy)"),
    _of(BEFORE, "join-rights", "user may make what the agent needs"),
    _of(BEFORE, "join-names", "names are free in the cluster"),
    _of(BEFORE, "join-admission", "cluster admits what the agent needs"),
    _of(BEFORE, "join-apis", "cluster offers the APIs that workspaces bind", warns=True),
    _of(BEFORE, "join-clock", "clocks of this machine, the control plane and the cluster agree"),
    _of(BEFORE, "join-address", "control plane has an address for agents in clusters"),
    _of(BEFORE, "join-reach", "control plane can be reached from inside the cluster"),
)
_BY_ID = {spec.id: spec for spec in CATALOGUE}


def check(id_: str, work: Work) -> Check:
    """Return a check of the catalogue with its work."""
    return Check(_BY_ID[id_], work)
