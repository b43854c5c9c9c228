"""
What comes to rest stays at rest, and what is edited in the cluster is mended (invariants 5, 8, 9).

Aspects: kinds with every common field; drift; kills; what is left when nothing runs any more; credentials.
"""

from __future__ import annotations

import base64
import json
import random
import time

from fairlead_api import JsonObject
from tests.integration.syncer.joined import BOTH_MODES, SYNC_TIMEOUT_S, Api, Joined
from tests.support.waiting import wait_until

PROBE = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 3}
DEPLOYMENT: JsonObject = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"note": "a"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "securityContext": {
                    "runAsNonRoot": True,
                    "fsGroup": 2000,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "terminationGracePeriodSeconds": 5,
                "tolerations": [{"key": "x", "operator": "Exists", "effect": "NoSchedule"}],
                "initContainers": [{"name": "init", "image": "init:1", "command": ["true"]}],
                "containers": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "args": ["--port", "8080"],
                        "ports": [{"containerPort": 8080, "name": "http"}],
                        "env": [
                            {"name": "EMPTY", "value": ""},
                            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                            {"name": "NS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "tls", "key": "tls.crt"}}},
                        ],
                        "resources": {"requests": {"cpu": "1000m", "memory": "0.5Gi"}, "limits": {"cpu": "2000m"}},
                        "livenessProbe": PROBE,
                        "readinessProbe": PROBE,
                        "startupProbe": PROBE,
                        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                        "volumeMounts": [
                            {"name": "scratch", "mountPath": "/scratch"},
                            {"name": "conf", "mountPath": "/c"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "scratch", "emptyDir": {"sizeLimit": "1024Mi"}},
                    {"name": "conf", "configMap": {"name": "fixed", "items": [{"key": "k", "path": "k"}]}},
                ],
            },
        },
    },
}


def _everything(joined: Joined) -> None:
    """Create one of every kind with the fields that servers like to change."""
    joined.allow(allowedServiceTypes=["*"])
    encoded = base64.b64encode(b"x").decode()
    core = "/api/v1/namespaces/default"
    tls = {"tls.crt": encoded, "tls.key": encoded}
    docker = {".dockerconfigjson": base64.b64encode(json.dumps({"auths": {}}).encode()).decode()}
    for name, kind, data in (("tls", "kubernetes.io/tls", tls), ("pull", "kubernetes.io/dockerconfigjson", docker)):
        joined.team.ok("POST", f"{core}/secrets", {**_of("Secret", name), "type": kind, "data": data})
    joined.team.ok("POST", f"{core}/secrets", {**_of("Secret", "fixed"), "immutable": True, "data": {"a": encoded}})
    joined.team.ok("POST", f"{core}/configmaps", {**_of("ConfigMap", "fixed"), "immutable": True, "data": {"k": "v"}})
    binary = {**_of("ConfigMap", "binary"), "binaryData": {"b": encoded}}
    joined.team.ok("POST", f"{core}/configmaps", binary)
    ports = [{"port": 80, "targetPort": "http"}, {"port": 443, "name": "tls", "protocol": "TCP"}]
    ports[0]["name"] = "http"
    for name, spec in (
        ("plain", {"selector": {"app": "web"}, "ports": ports}),
        ("headless", {"clusterIP": "None", "selector": {"app": "web"}}),
        ("node", {"type": "NodePort", "selector": {"app": "web"}, "ports": ports}),
        ("elsewhere", {"type": "ExternalName", "externalName": "example.com"}),
    ):
        joined.team.ok("POST", f"{core}/services", {**_of("Service", name), "spec": spec})
    joined.team.ok("POST", "/apis/apps/v1/namespaces/default/deployments", DEPLOYMENT)


def _of(kind: str, name: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


def _revision(joined: Joined) -> int:
    return int(joined.base.ok("GET", "/clusters/root:team/api/v1/configmaps?limit=1")["metadata"]["resourceVersion"])


@BOTH_MODES
def test_every_kind_comes_to_rest(joined: Joined) -> None:
    """Synced once; then neither side is written to, whatever defaults and forms the cluster gave the fields."""
    _everything(joined)
    wait_until(lambda: joined.progress().get("applied", 0) >= 11, SYNC_TIMEOUT_S)
    assert joined.progress()["blocked"] == []
    home = f"/api/v1/namespaces/{joined.home()}"
    assert (joined.down.get(f"{home}/services/headless") or {})["spec"]["clusterIP"] == "None"
    assert (joined.down.get(f"{home}/secrets/tls") or {})["type"] == "kubernetes.io/tls"
    assert (joined.down.get(f"{home}/configmaps/fixed") or {})["immutable"] is True
    joined.kill_agent()
    joined.start_agent()  # a restart reads everything again
    joined.write("marker")
    joined.wait_value("marker", "1")
    wait_until(lambda: joined.progress().get("applied", 0) >= 12, SYNC_TIMEOUT_S)
    began, revision = joined.audited(), _revision(joined)
    # Rest is the absence of writes over a time; a heartbeat falls into it.
    deadline = time.monotonic() + 12
    wait_until(lambda: time.monotonic() > deadline, 20)
    assert joined.agent_writes(since=began) == []
    # What the agent makes is as it must be from the start; only a namespace's uid is known, and sealed, afterwards.
    assert joined.agent_writes("patch", taken=True) == [f"patch namespaces/{joined.home()}"]
    assert _revision(joined) - revision <= 2, "only heartbeats are written"


@BOTH_MODES
def test_drift_is_mended(joined: Joined) -> None:
    """An edit in the cluster is undone within seconds: data, labels, spec, deletion, time and again."""
    _everything(joined)
    wait_until(lambda: joined.progress().get("applied", 0) >= 11, SYNC_TIMEOUT_S)
    home = f"/api/v1/namespaces/{joined.home()}"
    deployment = f"/apis/apps/v1/namespaces/{joined.home()}/deployments/web"
    down = joined.down
    for number in range(2):
        down.merge(f"{home}/configmaps/binary", {"data": {"new": "x"}, "binaryData": {"b": None}})
        down.merge(deployment, {"metadata": {"labels": {"app": f"edited-{number}"}}, "spec": {"replicas": 7}})
        down.merge(f"{home}/services/plain", {"spec": {"selector": {"app": "other"}}})
        down.ok("DELETE", f"{home}/secrets/pull")
        wait_until(lambda: "b" in ((down.get(f"{home}/configmaps/binary") or {}).get("binaryData") or {}), 15)
        wait_until(lambda: (down.get(deployment) or {})["spec"]["replicas"] == 2, 15)
        wait_until(lambda: (down.get(deployment) or {})["metadata"]["labels"]["app"] == "web", 15)
        wait_until(lambda: (down.get(f"{home}/services/plain") or {})["spec"]["selector"] == {"app": "web"}, 15)
        wait_until(lambda: down.get(f"{home}/secrets/pull"), 15)


def test_status_ends_with_the_last_target(joined: Joined) -> None:
    """What no cluster runs any more shows no replicas, and its generation as observed."""
    joined.team.ok("POST", "/apis/apps/v1/namespaces/default/deployments", DEPLOYMENT)
    place = f"/apis/apps/v1/namespaces/{joined.home()}/deployments/web"
    wait_until(lambda: joined.down.get(place), SYNC_TIMEOUT_S)
    ready = {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    joined.down.merge(f"{place}/status", {"status": ready})
    web = "/apis/apps/v1/namespaces/default/deployments/web"
    wait_until(lambda: ((joined.team.get(web) or {}).get("status") or {}).get("readyReplicas") == 2, SYNC_TIMEOUT_S)
    joined.assign("default", "Leaving")
    expected = {"observedGeneration": 1, "unavailableReplicas": 2}
    wait_until(lambda: (joined.team.get(web) or {}).get("status") == expected, SYNC_TIMEOUT_S)


def test_a_deleted_target_leaves_nothing_behind(joined: Joined) -> None:
    """Rows, statuses, Pods and Assignments are freed, also when nobody is there to confirm."""
    joined.team.ok("POST", "/apis/apps/v1/namespaces/default/deployments", DEPLOYMENT)
    place = f"/apis/apps/v1/namespaces/{joined.home()}/deployments/web"
    wait_until(lambda: joined.down.get(place), SYNC_TIMEOUT_S)
    joined.down.merge(f"{place}/status", {"status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2}})
    web = "/apis/apps/v1/namespaces/default/deployments/web"
    wait_until(lambda: ((joined.team.get(web) or {}).get("status") or {}).get("readyReplicas") == 2, SYNC_TIMEOUT_S)
    token = (joined.folder / f"agent-{joined.uid}" / "token").read_text()
    agent = Api(joined.server.url, token, joined.server.tls())
    pods = f"/services/upsyncer/root/{joined.name}/{joined.uid}/clusters/{joined.workspace_cluster}"
    agent.ok("PUT", f"{pods}/api/v1/namespaces/default/pods/p", {"pod": {"metadata": {"uid": "u"}, "spec": {}}})
    joined.stop_agent()
    joined.root.ok("DELETE", f"/apis/workload.kcp.io/v1alpha1/synctargets/{joined.name}")
    wait_until(lambda: joined.team.get("/api/v1/namespaces/default/pods/p") is None, SYNC_TIMEOUT_S)
    expected = {"observedGeneration": 1, "unavailableReplicas": 2}
    wait_until(lambda: (joined.team.get(web) or {}).get("status") == expected, SYNC_TIMEOUT_S)
    wait_until(lambda: not joined.progress(), SYNC_TIMEOUT_S)


@BOTH_MODES
def test_kills_of_agent_and_server_lose_nothing(joined: Joined) -> None:
    """Killed at random during a stream of changes, both come back to one truth, with nothing twice or left over."""
    dice = random.Random(joined.number)
    last: dict[str, str] = {}
    for step in range(36):
        name, value = f"c{dice.randrange(6)}", str(step)
        if name in last and dice.random() < 0.3:
            joined.team.ok("DELETE", f"/api/v1/namespaces/default/configmaps/{name}")
            del last[name]
        else:
            joined.write(name, value)
            last[name] = value
        if step % 9 == 5:
            joined.kill_agent()
            joined.start_agent()
        if step % 18 == 11:
            joined.server.process.stop(grace_s=0)
            joined.server.restart()
    for name, value in last.items():
        joined.wait_value(name, value)

    def maps() -> set[str]:
        found = joined.down.ok("GET", f"/api/v1/namespaces/{joined.home()}/configmaps")["items"]
        return {each["metadata"]["name"] for each in found} - {"kcp-root-ca.crt", "kube-root-ca.crt"}

    wait_until(lambda: maps() == set(last), SYNC_TIMEOUT_S)
    wait_until(lambda: joined.progress().get("applied") == len(last) + 1, SYNC_TIMEOUT_S)
