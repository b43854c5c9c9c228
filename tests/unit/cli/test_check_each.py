"""
Each check succeeds where all is well, and fails where what it looks for is wrong.

The table names for each id of the catalogue what is changed in a world in which all is well, and what is told then.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.names import Locator
from fairlead_cli.checking import catalogue, certificates
from fairlead_cli.checking.model import Level
from fairlead_cli.options import Server
from fairlead_machinery.kubeconfig import Credentials
from fairlead_machinery.transport import Unreachable
from tests.unit.cli import check_world
from tests.unit.cli.check_world import (
    CLUSTER_UID,
    PLANE_URL,
    Refusal,
    World,
    ago,
    certificate,
    deny,
    discovery,
    listed,
    namespace,
    room,
    token,
)

W, E = Level.WARNING, Level.ERROR
Change = Callable[[World], object]
AGENT = check_world.agent()
DEPLOYMENT = f"GET /apis/apps/v1/namespaces/{AGENT.home}/deployments/{AGENT.id}"
HOME = f"/api/v1/namespaces/{AGENT.home}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
POLICIES = "GET /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
PODS = "GET /api/v1/namespaces/default/pods/*"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SPACE = "GET /clusters/w1/api/v1/namespaces"
TARGETS = "GET /clusters/root/apis/workload.kcp.io/v1alpha1/synctargets"
LEASE = "GET /clusters/root/apis/coordination.k8s.io/v1/namespaces/kcp-system/leases/fairlead-scheduler"
EXPORT = "GET /clusters/root:compute/apis/apis.kcp.io/v1alpha1/apiexports/kubernetes"
URL = "GET /clusters/root/apis/core.kcp.io/v1alpha1/logicalclusters/cluster"


def plane(path: str, answer: Any) -> Change:
    """Change an answer of the control plane; None takes it away."""
    return lambda world: world.plane.answers.update({path: answer})


def cluster(path: str, answer: Any) -> Change:
    """Change an answer of the cluster."""
    return lambda world: world.cluster.answers.update({path: answer})


def authority(days: float) -> Change:
    """Have the last of the authorities that everybody was given end in so many days."""
    bundle = "".join(ssl.DER_cert_to_PEM_cert(certificate(end)) for end in (days, days - 5))
    return user(ca=bundle.encode())


def user(**given: Any) -> Change:
    """Have other credentials in the kubeconfig."""
    return lambda world: world.plane.use(Credentials(PLANE_URL, **{"ca": check_world.CA, **given}))


def status(**fields: object) -> Change:
    """Change the SyncTarget's status."""
    return lambda world: world.target["status"].update(fields)


def spec(**fields: object) -> Change:
    """Change the SyncTarget's spec."""
    return lambda world: world.target["spec"].update(fields)


def replicas(wanted: int, *, ready: int) -> JsonObject:
    """Return a Deployment."""
    return {"spec": {"replicas": wanted}, "status": {"readyReplicas": ready}}


def role(change: Callable[[JsonObject], object]) -> Change:
    """Change the agent's ClusterRole in the cluster."""

    def apply(world: World) -> None:
        path = f"GET {RBAC}/clusterroles/{AGENT.id}"
        found = json.loads(json.dumps(world.cluster.answers[path]))
        change(found)
        world.cluster.answers[path] = found

    return apply


def clock(side: str, ahead_s: float) -> Change:
    """Have a side's clock go ahead."""
    return lambda world: setattr(getattr(world, side), "ahead_s", ahead_s)


def worded(**word: object) -> Change:
    """Have the Pod inside leave word."""
    ended = {"terminated": {"exitCode": 1, "message": json.dumps({"ok": False, **word})}}
    return cluster(
        PODS, {"metadata": {"name": "p"}, "status": {"phase": "Failed", "containerStatuses": [{"state": ended}]}}
    )


def waiting(reason: str) -> Change:
    """Have the Pod inside wait for ever."""
    states = [{"image": "i", "state": {"waiting": {"reason": reason}}}]
    return cluster(PODS, {"metadata": {"name": "p"}, "status": {"phase": "Pending", "containerStatuses": states}})


def second(name: str) -> Callable[[World], None]:
    """Join the same cluster under another name, too."""

    def apply(world: World) -> None:
        world.plane.answers[TARGETS] = listed(world.target, _other(name))

    return apply


def _other(name: str, **annotations: str) -> JsonObject:
    found = check_world.sync_target()
    found["metadata"] |= {"name": name, "uid": f"uid-of-{name}"}
    found["metadata"]["annotations"] |= annotations
    return found


def unscheduled(message: str) -> JsonObject:
    """Return a namespace without a cluster."""
    condition = {"type": "NamespaceScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return namespace("web", status={"conditions": [condition]})


def inconsistent(world: World) -> None:
    said = {"type": "InventoryConsistent", "status": "False", "message": "3 objects bear its marks"}
    world.target["status"]["conditions"].append(said)


def held(world: World) -> None:
    world.target["status"]["heldDeletions"] = {"digest": "abc", "count": 31, "examples": ["configmaps a/b"]}


def process(**files: str) -> Change:
    """Have the agent be a process of this machine, with other files."""

    def apply(world: World) -> None:
        folder = world.as_process()
        for name, text in files.items():
            folder.write(name.replace("_", "."), text)

    return apply


def upstream(authority: str) -> str:
    """Return the agent's kubeconfig with another authority."""
    return json.dumps({"clusters": [{"cluster": {"server": PLANE_URL, "certificate-authority-data": authority}}]})


LOST = namespace(
    "kcp-0123456789ab",
    metadata={"annotations": {"kcp.io/namespace-locator": Locator("root", "old", "gone", "w", "n").to_json()}},
)
BINDING = {
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "admin-for-all"},
    "roleRef": {"name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": AGENT.id, "namespace": AGENT.home}],
}

CASES: list[tuple[str, Change, Level, str]] = [
    (
        "kubeconfig",
        lambda world: setattr(world, "server", Server(kubeconfig="/no/such/file")),
        E,
        "cannot read /no/such/file",
    ),
    ("api-reachable", lambda world: setattr(world, "presented", Unreachable("refused")), E, "no answer: refused"),
    ("api-trusted", plane("GET /version", Unreachable("certificate verify failed")), E, "certificate verify failed"),
    ("api-trusted", user(insecure=True), W, "whoever answers"),
    ("api-certificate", lambda world: setattr(world, "presented", certificate(20)), W, "its certificate ends at"),
    ("api-certificate", lambda world: setattr(world, "presented", certificate(1)), E, "its certificate ends at"),
    ("api-certificate", lambda world: setattr(world, "presented", certificate(-1)), E, "its certificate ended at"),
    ("api-authority", authority(50), W, "its certificate authority ends at"),
    ("api-authority", authority(1), E, "its certificate authority ends at"),
    ("api-version", plane("GET /version", {"gitVersion": "v1.36.3"}), E, "it is no Fairlead"),
    ("api-version", plane("GET /version", {"gitVersion": "v1.36.3+fairlead-0.0.9"}), E, "has to be upgraded first"),
    ("api-version", plane("GET /version", {"gitVersion": "v1.36.3+fairlead-0.3.0"}), W, "2 minor versions behind"),
    (
        "api-version",
        plane("GET /version", {"gitVersion": "v1.36.3+fairlead-0.4.0"}),
        E,
        "more than 2 minor versions behind",
    ),
    ("api-ready", plane("GET /readyz", Refusal(500)), E, "/readyz answers 500"),
    ("api-store", plane("GET /metrics", room(disk=1e11, free=1e10)), W, "9.3 GiB of 93.1 GiB are free"),
    ("api-store", plane("GET /metrics", room(disk=1e9, free=4e7)), E, "38 MiB of 954 MiB are free"),
    ("api-store", plane("GET /metrics", Refusal(403)), W, "not verified: /metrics answers 403"),
    ("api-clock", clock("plane", 20), W, "the control plane is 20 s ahead of this machine"),
    ("api-clock", clock("plane", -90), E, "this machine is 90 s ahead of the control plane"),
    (
        "api-write",
        plane("POST /clusters/root/api/v1/namespaces/default/configmaps", Refusal(500, "disk full")),
        E,
        "disk full",
    ),
    (
        "api-write",
        plane("POST /clusters/root/api/v1/namespaces/default/configmaps", Refusal(403)),
        W,
        "not verified: no",
    ),
    (
        "user-rights",
        plane(f"POST /clusters/root{REVIEW}", deny("synctargets")),
        W,
        "you may not list/get/create/patch/delete synctargets.workload.kcp.io",
    ),
    ("user-credentials", user(token=token(86400 * 9)), W, "your token ends at"),
    ("user-credentials", user(token=token(-9)), E, "your token ended at"),
    ("compute-export", plane(EXPORT, None), E, 'no APIExport "kubernetes" in root:compute'),
    ("compute-export", plane(EXPORT, {"spec": {}}), E, "holds no resources"),
    ("scheduler-alive", plane(LEASE, None), E, "no scheduler has been heard of"),
    (
        "scheduler-alive",
        plane(LEASE, {"spec": {"leaseDurationSeconds": 60, "renewTime": ago(300)}}),
        E,
        " s ago (",
    ),
    (
        "namespaces-decided",
        plane(SPACE, listed(namespace("web", age_s=60))),
        E,
        "1 namespace without a decision for more than 30 s: web (w1)",
    ),
    ("namespaces-decided", plane(SPACE, Refusal(403)), W, "not verified"),
    (
        "namespaces-schedulable",
        plane(SPACE, listed(unscheduled("cordoned"))),
        W,
        "1 namespace (such as web (w1)): cordoned",
    ),
    ("clusters-joined", plane(TARGETS, listed()), W, "no cluster has been joined in root"),
    (
        "cluster-ready",
        status(conditions=[{"type": "Ready", "status": "False", "message": "lost"}]),
        E,
        "not Ready: lost",
    ),
    ("cluster-heartbeat", status(lastSyncerHeartbeatTime=ago(100)), E, "its agent was last heard of"),
    ("cluster-heartbeat", status(lastSyncerHeartbeatTime=None), E, "never been heard of"),
    ("cluster-schedulable", spec(unschedulable=True), W, "it is cordoned"),
    ("cluster-schedulable", spec(unschedulable=True, evictAfter="2030-01-01T00:00:00Z"), W, "being drained (from 2030"),
    ("cluster-deletions", held, E, "31 deletions came in a burst and are held (set abc), among them configmaps a/b"),
    ("cluster-inventory", inconsistent, W, "3 objects bear its marks"),
    ("cluster-kubernetes", status(properties={"kubernetesVersion": "v1.29.4"}), E, "supported are 1.30 to 1.36"),
    ("cluster-kubernetes", status(properties={"kubernetesVersion": "v1.37.0"}), W, "supported are 1.30 to 1.36"),
    (
        "cluster-apis",
        status(syncedResources=[{"group": "x.io", "resource": "things", "state": "Incompatible"}]),
        W,
        "things.x.io (Incompatible)",
    ),
    ("cluster-once", second("west"), W, "joined as west, too"),
    ("agent-version", status(syncerVersion="0.9.0"), E, "the control plane has to be upgraded first"),
    ("agent-version", plane("GET /version", {"gitVersion": "v1.36.3+fairlead-0.3.0"}), W, "2 minor versions behind"),
    (
        "agent-version",
        plane("GET /version", {"gitVersion": "v1.36.3+fairlead-0.4.0"}),
        E,
        "more than 2 minor versions behind",
    ),
    (
        "agent-authorized",
        status(conditions=[{"type": "SyncerAuthorized", "status": "False", "message": "may not"}]),
        E,
        "may not",
    ),
    (
        "agent-cluster",
        cluster("GET /api/v1/namespaces/kube-system", {"metadata": {"uid": "other"}}),
        E,
        "is another cluster",
    ),
    ("agent-cluster", cluster("GET /api/v1/namespaces/kube-system", Unreachable("refused")), E, "cannot be reached"),
    ("agent-running", cluster(DEPLOYMENT, {"spec": {"replicas": 2}}), E, "none of the 2 replicas"),
    ("agent-running", cluster(DEPLOYMENT, replicas(2, ready=1)), W, "1 of 2 replicas are ready: fewer can take over"),
    ("agent-running", cluster(DEPLOYMENT, replicas(0, ready=0)), E, "its Deployment is scaled to none"),
    ("agent-running", cluster(DEPLOYMENT, None), W, "not verified: it runs elsewhere"),
    ("agent-running", process(agent_log="out of memory"), E, "its process has ended: out of memory"),
    (
        "agent-pods",
        cluster(
            f"GET {HOME}/pods",
            listed(
                {
                    "metadata": {"name": "p"},
                    "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]},
                }
            ),
        ),
        E,
        "the image cannot be pulled",
    ),
    ("agent-rights", role(lambda found: found["rules"].pop(0)), E, f"clusterrole/{AGENT.id} lacks"),
    (
        "agent-rights",
        role(lambda found: found["rules"].append({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]})),
        E,
        "allows get nodes beyond that",
    ),
    ("agent-rights", cluster(f"GET {RBAC}/clusterroles/{AGENT.id}", None), E, f"clusterrole/{AGENT.id} is missing"),
    ("agent-rights", cluster("GET /apis", discovery("example.com", "widgets")), E, "lacks list widgets.example.com"),
    ("agent-rights", cluster(f"{POLICIES}/{AGENT.id}", None), E, f"policy/{AGENT.id} is missing"),
    (
        "agent-rights",
        cluster(f"GET {RBAC}/clusterrolebindings", listed(BINDING)),
        E,
        "admin-for-all gives it clusterrole/cluster-admin",
    ),
    ("agent-namespace", cluster(f"GET {HOME}", namespace(AGENT.home)), W, "enforces no level"),
    ("agent-upstream", process(upstream_kubeconfig=upstream("b3RoZXI=")), E, "another certificate authority"),
    (
        "agent-upstream",
        status(virtualWorkspaces=[{"syncerURL": "https://moved.test/x"}]),
        W,
        "says it is at https://moved.test:443",
    ),
    ("agent-credentials", process(cluster_token=token(-60)), E, "its token for the cluster ended at"),
    ("agent-credentials", process(cluster_token=token(290)), W, "and it does not renew it"),
    ("agent-leftovers", cluster("GET /api/v1/namespaces", listed(LOST)), W, "namespace/kcp-0123456789ab"),
    ("join-cluster", cluster("GET /api/v1/namespaces/kube-system", Unreachable("refused")), E, "cannot be reached"),
    ("join-kubernetes", cluster("GET /version", {"gitVersion": "v1.28.0"}), E, "supported are 1.30 to 1.36"),
    (
        "join-policy-api",
        cluster("GET /apis/admissionregistration.k8s.io/v1", {"resources": []}),
        E,
        "validatingadmissionpolicies",
    ),
    (
        "join-rights",
        cluster(f"POST {REVIEW}", deny("clusterroles")),
        E,
        "you may not get/create/patch/delete clusterroles.rbac.authorization.k8s.io",
    ),
    (
        "join-names",
        cluster("GET /api/v1/namespaces", listed(namespace("kcp-syncer-east-01234567"))),
        E,
        "somebody else has namespace/kcp-syncer-east-01234567",
    ),
    (
        "join-names",
        cluster("GET /api/v1/namespaces", listed(namespace("kcp-0123456789ab"))),
        E,
        "somebody else has namespace/kcp-0123456789ab",
    ),
    (
        "join-names",
        cluster(
            "GET /api/v1/namespaces",
            listed(
                namespace("kcp-syncer-east-01234567", metadata={"labels": {"app.kubernetes.io/part-of": "fairlead"}})
            ),
        ),
        W,
        "an earlier agent of that name",
    ),
    ("join-names", second("west"), W, "joined already, as west"),
    ("join-admission", cluster("PATCH *", Refusal(403, "denied by policy")), E, "denied by policy"),
    ("join-apis", cluster("GET /apis/apps/v1", {"resources": []}), W, "deployments.apps (not served as v1)"),
    ("join-clock", clock("cluster", 75), E, "the cluster is 75 s ahead of"),
    (
        "join-address",
        plane(URL, {"status": {"URL": "https://127.0.0.1:6443/clusters/root"}}),
        E,
        "means the machine it is used on",
    ),
    (
        "join-reach",
        plane(URL, {"status": {"URL": "https://127.0.0.1:6443/clusters/root"}}),
        W,
        "not verified: the control plane has only a loopback",
    ),
    ("join-reach", worded(stage="connection", why="timed out"), E, "no connection comes about: timed out"),
    ("join-reach", worded(stage="TLS", why="self-signed"), E, "TLS fails: self-signed"),
    ("join-reach", cluster("GET /api/v1/nodes", listed()), W, "not verified: the cluster has no nodes"),
    ("join-reach", waiting("ImagePullBackOff"), W, "not verified: pod p: the image cannot be pulled"),
    (
        "join-reach",
        cluster(PODS, {"metadata": {"name": "p"}, "status": {"phase": "Running"}}),
        W,
        "was still Running after 0 s",
    ),
    (
        "join-reach",
        cluster(PODS, {"metadata": {"name": "p"}, "status": {"phase": "Succeeded"}}),
        W,
        "not verified: the Pod ended without a word",
    ),
    (
        "join-reach",
        cluster("POST /api/v1/namespaces/default/pods", Refusal(403, "denied")),
        W,
        "may not be made in namespace default: denied",
    ),
    ("join-reach", cluster("DELETE /api/v1/namespaces/default/pods/*", Refusal(403)), W, "could not be removed"),
]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a world in which all is well."""
    made = World(tmp_path)

    async def presented(server: str, name: str = "") -> bytes:
        del server, name
        if isinstance(made.presented, Exception):
            raise made.presented
        return made.presented

    monkeypatch.setattr(certificates, "presented", presented)
    return made


async def test_all_is_well(world: World) -> None:
    """Every check of the catalogue is made, in its order, and succeeds."""
    results = await world.check()
    assert {id_: result.text for id_, result in results.items() if result.level is not Level.SUCCESS} == {}
    assert list(results) == [one.id for one in catalogue.CATALOGUE]


def test_every_check_has_a_case() -> None:
    """A check that cannot fail is none."""
    assert {id_ for id_, *_ in CASES} == {one.id for one in catalogue.CATALOGUE}


@pytest.mark.parametrize(
    ("id_", "change", "level", "text"), CASES, ids=[f"{at}-{case[0]}" for at, case in enumerate(CASES)]
)
async def test_fails(world: World, id_: str, change: Change, level: Level, text: str) -> None:
    """The check tells what was changed, as bad as it is."""
    await asyncio.to_thread(change, world)
    result = (await world.check())[id_]
    assert result.level is level, result
    assert text in result.text


async def test_the_pod_is_always_removed(world: World) -> None:
    """Whatever comes of it."""
    unsure = cluster("POST /api/v1/namespaces/default/pods", Unreachable("no answer"))
    for change in (worded(stage="name", why="x"), waiting("ErrImagePull"), cluster(PODS, Refusal(500)), unsure):
        change(world)
        world.cluster.asked.clear()
        await world.check()
        made = [one for one in world.cluster.asked if one.startswith("DELETE /api/v1/namespaces/default/pods/")]
        assert len(made) == 1


async def test_one_cluster_uid_is_kept(world: World) -> None:
    """The SyncTarget of the name must be the same cluster's."""
    world.target["metadata"]["annotations"]["workload.fairlead.io/cluster-uid"] = "other"
    result = (await world.check())["join-names"]
    assert result.level is E
    assert CLUSTER_UID in result.text


async def test_who_may_not_list_everything_looks_into_each_workspace(world: World) -> None:
    """What cannot be entered is told as not verified; what can be is judged."""
    scheduling, spaces = "apis/scheduling.kcp.io/v1alpha1", "apis/tenancy.kcp.io/v1alpha1/workspaces"
    placements = world.plane.answers.pop(f"GET /clusters/*/{scheduling}/placements:h")
    children = [{"metadata": {"name": name}, "spec": {"cluster": name}} for name in ("w1", "w2")]
    world.plane.answers |= {
        f"GET /clusters/*/{scheduling}/placements:h": Refusal(403),
        f"GET /clusters/root/{spaces}": listed(*children),
        f"GET /clusters/w1/{scheduling}/placements": placements,
        f"GET /clusters/w2/{scheduling}/placements": Refusal(403),
        SPACE: listed(unscheduled("cordoned")),
    }
    results = await world.check()
    assert results["namespaces-decided"].text.startswith("not verified: 1 workspace could not be looked into")
    assert results["namespaces-schedulable"].text.endswith("web (w1)): cordoned")
