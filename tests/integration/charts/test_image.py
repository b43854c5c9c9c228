"""The Dockerfile's steps, and the charts' pods run from what they made. No engine: see tests/support/image.py."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from fairlead_api import JsonObject
from fairlead_control_plane.main import pki
from tests.integration.charts.playing import ACCOUNT, container, lay_out
from tests.support.charts import CONTROL_PLANE, SYNCER, Helm, of_kind
from tests.support.clusters import Cluster
from tests.support.image import Image, StepFailed
from tests.support.servers import FairleadServer

PROGRAMS = ("fairlead", "kubectl-fairlead", "kubectl-ws", "kubectl-kcp", "kubectl-create-workspace")
START_S = 30.0
_ASK = """
import ssl, sys, urllib.request
tls = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else ssl._create_unverified_context()
print(urllib.request.urlopen(sys.argv[1], context=tls, timeout=5).read().decode())
"""


def test_programs_start(built: Image) -> None:
    """Each program of the distribution starts as the image's user on a read-only root, by the name manifests use."""
    assert built.user == "65532:65532"
    assert built.run([*built.entrypoint, *built.command]) == built.run(["fairlead", "--help"])
    for program in PROGRAMS:
        assert built.run([program, "--help"]).startswith("Usage:")
    assert "--sync-target-uid" in built.run(["fairlead", "syncer", "--help"])
    assert built.run(["python3", "-m", "fairlead_scheduler", "--help"]).startswith("usage:")


def test_nothing_can_be_changed_or_installed(built: Image) -> None:
    """The root is read-only and everything on it is root's; what builds and installs is gone."""
    with pytest.raises(StepFailed, match="Read-only file system"):
        built.run(["sh", "-c", "echo x > /tmp/x"])
    for folder, _, files in os.walk(built.root / "opt"):
        for path in (Path(folder, name) for name in (*files, ".")):
            found = path.lstat()
            assert found.st_uid == 0
            assert stat.S_ISLNK(found.st_mode) or not found.st_mode & 0o6022, path
    for module in ("pip", "setuptools", "hatchling"):
        with pytest.raises(StepFailed, match=f"No module named '?{module}"):
            built.run(["python3", "-m", module])


def test_the_control_planes_pod(built: Image, helm: Helm, tmp_path: Path) -> None:
    """The chart's pod comes up on its volumes alone, with the CA and the tokens of its Secrets, and ends when asked."""
    values = {
        "externalUrl": "https://localhost:6443",
        "tls": {"ca": {"existingSecret": "ca"}},
        "auth": {"tokens": {"existingSecret": "people"}},
    }
    objects = helm.render(CONTROL_PLANE, values, release="fairlead")
    spec = of_kind(objects, "StatefulSet")["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "data"})  # of the claim
    pki.ensure(tmp_path, ["localhost"], datetime.now(UTC))
    authority = {"tls.crt": (tmp_path / "ca.crt").read_text(), "tls.key": (tmp_path / "ca.key").read_text()}
    secrets = {"ca": {"stringData": authority}, "people": {"stringData": {"tokens.csv": "secret,ann,1\n"}}}
    volumes = lay_out(spec, secrets, tmp_path)
    first = container(spec["initContainers"][0], volumes)
    for _ in range(2):  # it runs at every start of the pod
        built.run(first.command, volumes=first.volumes)
    server = container(spec["containers"][0], volumes)
    log = tmp_path / "server.log"
    with built.start("the chart's server", server.command, volumes=server.volumes, log=log) as process:
        ca = "/var/lib/fairlead/server/ca.crt"

        def answer(path: str) -> str:
            ask = ["python3", "-c", _ASK, f"https://localhost:6443{path}", ca]
            return built.run(ask, volumes=server.volumes, network=process.pid)

        def is_ready() -> bool:
            try:
                return answer("/readyz").strip() == "ok"
            except StepFailed:
                return False

        process.wait_ready(is_ready, START_S)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert answer(spec["containers"][0][probe]["httpGet"]["path"]).strip() == "ok"
        assert "Status check results are √" in _checked(built, of_kind(objects, "Pod")["spec"], volumes, process.pid)
        assert process.stop(spec["terminationGracePeriodSeconds"]) == 0
    written = {path.name for path in (volumes["data"] / "server").iterdir()}
    assert {"admin.kubeconfig", "tokens.json", "ca.crt", "ca.key"} <= written
    assert all(path.lstat().st_uid == 65532 for path in (volumes["data"] / "server").rglob("*"))


def _checked(built: Image, spec: JsonObject, of_server: Mapping[str, Path], network: int) -> str:
    """Run what ``helm test`` runs, beside the server, and return what it says."""
    (given,) = spec["containers"]
    volumes = {"temporary": of_server["temporary"], "kubeconfig": of_server["data"]}
    test = container(given, volumes)
    env = {one["name"]: one["value"] for one in given["env"]}
    return built.run(test.command, volumes=test.volumes, env=env, network=network)


def test_the_agents_pod(
    built: Image,
    helm: Helm,
    fairlead: FairleadServer,
    east: Cluster,
    tmp_path: Path,
) -> None:
    """The agent that the chart installs is heard of, with the rights of the chart and nothing but its volumes."""
    files = {"KUBECONFIG": f"{fairlead.kubeconfig}:{east.kubeconfig}", "HOME": str(tmp_path)}
    arguments = ("workload", "sync", "pod", "--syncer-image=fairlead:v0", "--output-file=-")
    synced = fairlead.command("kubectl-kcp", *arguments, env=files)
    assert synced.returncode == 0, synced.stderr
    secret = next(one for one in _documents(synced.stdout) if one["kind"] == "Secret")
    join = ("cluster", "join", "pod", f"--context={east.context}", "--dry-run=client", "-o", "helm")
    printed = fairlead.command("kubectl-fairlead", *join, env=files)
    assert printed.returncode == 0, printed.stderr
    (values,) = _documents(printed.stdout)
    values["credentials"] = {"existingSecret": "its-credentials"}
    home = str(values["agentId"])

    east.kubectl("create", "namespace", home)
    try:
        east.kubectl("label", "namespace", home, "pod-security.kubernetes.io/enforce=restricted")
        secret["metadata"] = {"name": "its-credentials"}
        east.kubectl("create", "-n", home, "-f", "-", stdin=json.dumps(secret))
        Helm(helm.home, east.kubeconfig)("install", "pod", SYNCER, f"--namespace={home}", "--wait", values=values)
        (pod,) = json.loads(east.kubectl("get", "pods", "-n", home, "-o", "json"))["items"]
        _heard_of(built, fairlead, east, pod, secret, tmp_path)
        Helm(helm.home, east.kubeconfig)("uninstall", "pod", f"--namespace={home}", "--wait")
    finally:
        east.kubectl("delete", "namespace", home, "--wait=false")


def _heard_of(
    built: Image, fairlead: FairleadServer, east: Cluster, pod: JsonObject, secret: JsonObject, folder: Path
) -> None:
    """Run the pod's container on this machine's network until its SyncTarget is Ready."""
    spec = pod["spec"]
    account = folder / "account"
    account.mkdir()
    token = east.kubectl("create", "token", spec["serviceAccountName"], "-n", pod["metadata"]["namespace"])
    home = pod["metadata"]["namespace"]
    for name, text in {"token": token, "ca.crt": east.certificate_authority.read_text(), "namespace": home}.items():
        (account / name).write_text(text)
    volumes = folder / "volumes"
    volumes.mkdir()
    spec["volumes"] = [one for one in spec["volumes"] if "projected" not in one]
    (given,) = spec["containers"]
    given["volumeMounts"] = [one for one in given["volumeMounts"] if one["mountPath"] != ACCOUNT]
    agent = container(given, lay_out(spec, {"its-credentials": secret}, volumes))
    host, _, port = east.server.removeprefix("https://").partition(":")
    env = {"NAMESPACE": home, "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    mounts = {**agent.volumes, ACCOUNT: account}
    process = built.start(
        "the chart's agent", agent.command, volumes=mounts, env=env, network=0, log=folder / "agent.log"
    )

    def is_ready() -> bool:
        ready = fairlead.kubectl(
            "get", "synctarget", "pod", "-o", 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        )
        return ready == "True"

    with process:
        process.wait_ready(is_ready, START_S)


def _documents(text: str) -> list[JsonObject]:

    return [one for one in yaml.safe_load_all(text) if one]
