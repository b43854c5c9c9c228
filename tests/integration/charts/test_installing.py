"""The charts on a real cluster: installed, upgraded, rolled back, taken over, removed."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fairlead_api import JsonObject
from fairlead_cli import manifests
from fairlead_cli.chart_values import chart_values
from tests.integration.charts.test_same_as_join import PLAIN
from tests.support.charts import CONTROL_PLANE, SYNCER, Helm, HelmFailed, required_values
from tests.support.clusters import Cluster
from tests.support.waiting import wait_until

KINDS = (
    "statefulsets,deployments,replicasets,controllerrevisions,pods,services,secrets,configmaps,serviceaccounts,roles,"
    "rolebindings,ingresses,networkpolicies,poddisruptionbudgets,persistentvolumeclaims"
)
SYSTEM = {"serviceaccount/default", "configmap/kube-root-ca.crt"}
VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: %s}
spec:
  capacity: {storage: 8Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: by-hand
  hostPath: {path: /nowhere}
"""
WAIT_S = 40.0


@pytest.fixture
def cluster_helm(helm: Helm, east: Cluster) -> Helm:
    """Give a helm for that cluster."""
    return Helm(helm.home, east.kubeconfig)


@pytest.fixture
def home(east: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a namespace that lets in restricted pods only, and a volume for whoever asks for one in there."""
    name = "charts-" + re.sub(r"[^a-z]+", "-", request.node.name.removeprefix("test_")).strip("-")[:50]
    east.kubectl("create", "namespace", name)
    for mode in ("enforce", "warn"):
        east.kubectl("label", "namespace", name, f"pod-security.kubernetes.io/{mode}=restricted")
    east.kubectl("create", "-f", "-", stdin=VOLUME % name)
    yield name
    east.kubectl("delete", "namespace", name, "--wait=false")
    east.kubectl("delete", "persistentvolume", name, "--wait=false")


CLUSTER_KINDS = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"


def _left(cluster: Cluster, namespace: str) -> set[str]:
    """Return what is in a namespace beyond what every namespace has."""
    found = cluster.kubectl("get", KINDS, "-n", namespace, "-o", "name").split()
    return {one.replace(".apps", "").replace(".networking.k8s.io", "") for one in found} - SYSTEM


def _get(cluster: Cluster, namespace: str, what: str) -> JsonObject:
    found: JsonObject = json.loads(cluster.kubectl("get", what, "-n", namespace, "-o", "json"))
    return found


def _newer(chart: Path, folder: Path) -> Path:
    """Return a copy of a chart in which only the chart's version differs."""
    copied = folder / chart.name
    shutil.copytree(chart, copied)
    head = yaml.safe_load((copied / "Chart.yaml").read_text())
    (copied / "Chart.yaml").write_text(yaml.safe_dump({**head, "version": "0.1.1"}))
    return copied


def _pods(cluster: Cluster, namespace: str) -> set[str]:
    listed = _get(cluster, namespace, "pods")["items"]
    return {one["metadata"]["uid"] for one in listed if "deletionTimestamp" not in one["metadata"]}


CONTROL_PLANE_VALUES = {"persistence": {"storageClass": "by-hand"}, "externalUrl": "https://fairlead.example:6443"}


def test_life_of_a_control_plane(cluster_helm: Helm, east: Cluster, home: str, tmp_path: Path) -> None:
    """Install; a new chart version restarts nothing; new values do; rolled back; gone but for its volume claim."""
    where = f"--namespace={home}"
    told = cluster_helm("install", "fairlead", CONTROL_PLANE, where, "--wait", values=CONTROL_PLANE_VALUES)
    assert "Fairlead 0.1.0 is at https://fairlead.example:6443" in told
    first = _get(east, home, "statefulset/fairlead")
    assert first["status"]["readyReplicas"] == 1
    pods = _pods(east, home)

    newer = _newer(CONTROL_PLANE, tmp_path)
    cluster_helm("upgrade", "fairlead", newer, where, "--wait", values=CONTROL_PLANE_VALUES)
    second = _get(east, home, "statefulset/fairlead")
    assert second["metadata"]["labels"]["helm.sh/chart"] == "fairlead-0.1.1"
    assert second["spec"] == first["spec"]
    assert second["status"]["updateRevision"] == first["status"]["updateRevision"]
    assert _pods(east, home) == pods

    changed = {**CONTROL_PLANE_VALUES, "extraArgs": ["--grace=20"]}
    cluster_helm("upgrade", "fairlead", newer, where, "--wait", values=changed)
    assert _pods(east, home).isdisjoint(pods)
    cluster_helm("rollback", "fairlead", "1", where, "--wait")
    assert _get(east, home, "statefulset/fairlead")["spec"]["template"] == first["spec"]["template"]
    cluster_helm("uninstall", "fairlead", where, "--wait")
    wait_until(lambda: _left(east, home) == {"persistentvolumeclaim/data-fairlead-0"}, WAIT_S)


def test_life_of_an_agent(cluster_helm: Helm, east: Cluster, home: str, tmp_path: Path) -> None:
    """The same for the agent's chart, which leaves nothing, in the whole cluster either."""
    where = f"--namespace={home}"
    values = required_values()
    cluster_helm("install", "east", SYNCER, where, "--wait", values=values)
    deployment = f"deployment/{values['agentId']}"
    first = _get(east, home, deployment)
    pods = _pods(east, home)

    newer = _newer(SYNCER, tmp_path)
    cluster_helm("upgrade", "east", newer, where, "--reuse-values", "--wait")
    second = _get(east, home, deployment)
    assert second["metadata"]["labels"]["helm.sh/chart"] == "fairlead-syncer-0.1.1"
    assert second["metadata"]["generation"] == first["metadata"]["generation"]
    assert _pods(east, home) == pods

    changed = {**values, "extraArgs": ["--log-level=debug"], "syncedResources": ["services", "jobs.batch"]}
    cluster_helm("upgrade", "east", newer, where, "--wait", values=changed)
    role = _get(east, home, f"clusterrole/{values['agentId']}-namespace")
    assert ["batch"] in [rule["apiGroups"] for rule in role["rules"]]
    cluster_helm("rollback", "east", "1", where, "--wait")
    assert _get(east, home, deployment)["spec"]["template"] == first["spec"]["template"]
    role = _get(east, home, f"clusterrole/{values['agentId']}-namespace")
    assert ["batch"] not in [rule["apiGroups"] for rule in role["rules"]]
    cluster_helm("uninstall", "east", where, "--wait")
    wait_until(lambda: not _left(east, home), WAIT_S)
    wide = east.kubectl("get", CLUSTER_KINDS, "-o", "name")
    assert str(values["agentId"]) not in wide


def test_an_agent_that_was_joined_is_taken_over(cluster_helm: Helm, east: Cluster, home: str) -> None:
    """What join made becomes a release without a restart, but only when that is asked for."""
    agent = replace(PLAIN, namespace=home)
    text = manifests.as_text(manifests.manifest(agent))
    east.kubectl("apply", "--server-side", "--field-manager=kubectl-fairlead", "-f", "-", stdin=text)
    east.kubectl("rollout", "status", f"deployment/{agent.id}", "-n", home, "--timeout=40s")
    pods = _pods(east, home)
    before = _get(east, home, f"deployment/{agent.id}")
    install = ("install", "east", SYNCER, f"--namespace={home}", "--wait")
    with pytest.raises(HelmFailed, match="invalid ownership metadata"):
        cluster_helm(*install, values=chart_values(agent))
    cluster_helm(*install, "--take-ownership", "--force-conflicts", values=chart_values(agent))
    after = _get(east, home, f"deployment/{agent.id}")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert _pods(east, home) == pods
    cluster_helm("uninstall", "east", f"--namespace={home}", "--wait")


@pytest.mark.parametrize("values", ["everything", "exposed"])
def test_the_api_server_takes_every_object(east: Cluster, cluster_helm: Helm, home: str, values: str) -> None:
    """All objects of the fuller values files pass a dry run on the server, without one warning."""
    file = Path(__file__).parent / "testdata" / "fairlead" / f"{values}.yaml"
    objects = cluster_helm.render(CONTROL_PLANE, yaml.safe_load(file.read_text()), namespace=home)
    if values == "everything":
        agent = file.parent.parent / "fairlead-syncer" / "everything.yaml"
        given = required_values() | yaml.safe_load(agent.read_text())
        objects += cluster_helm.render(SYNCER, given, namespace=home)
    for one in objects:
        if one["kind"] == "ServiceMonitor":  # the operator's own kind
            continue
        # Pods are let in only where their account is; so that alone is made.
        dry = "none" if one["kind"] == "ServiceAccount" else "server"
        east.kubectl("apply", f"--dry-run={dry}", "--warnings-as-errors", "-f", "-", stdin=json.dumps(one))


def test_helm_test_follows_its_pod(cluster_helm: Helm, east: Cluster, home: str) -> None:
    """The hook's pod is let in by the cluster; helm test ends as the pod ends. The pod's end is played here."""
    where = f"--namespace={home}"
    cluster_helm("install", "fairlead", CONTROL_PLANE, where, "--wait", values=CONTROL_PLANE_VALUES)
    for phase in ("Succeeded", "Failed"):
        ended = threading.Thread(target=end_pod, args=(east, home, phase))
        ended.start()
        try:
            told = cluster_helm("test", "fairlead", where, "--timeout=40s")
            assert phase == "Succeeded"
            assert "Phase:          Succeeded" in told
        except HelmFailed:
            assert phase == "Failed"
        finally:
            ended.join()
    cluster_helm("uninstall", "fairlead", where)


def end_pod(cluster: Cluster, namespace: str, phase: str) -> None:
    """Wait for the hook's pod and end it."""
    name = "fairlead-check"
    wait_until(lambda: cluster.kubectl("get", "pod", name, "-n", namespace, "--ignore-not-found", "-o", "name"), WAIT_S)
    wait_until(lambda: _get(cluster, namespace, f"pod/{name}")["status"]["phase"] == "Running", WAIT_S)
    status = json.dumps({"status": {"phase": phase}})
    cluster.kubectl("patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", status)
