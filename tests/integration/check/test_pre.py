"""``kubectl fairlead check --pre``: a real API server before anything is installed there."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from fairlead_cli.checking import probe
from fairlead_cli.checking.model import Finding, Level
from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client
from tests.integration.check.desk import Desk, kubelet
from tests.support.certificates import make_authority
from tests.support.clusters import Cluster, write_kubeconfig
from tests.support.servers import FairleadServer
from tests.support.waiting import wait_until

POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "no-deployments"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
            ]
        },
        "validations": [{"expression": "!object.metadata.name.startsWith('kcp-syncer-north-')", "message": "not here"}],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "no-deployments"},
    "spec": {"policyName": "no-deployments", "validationActions": ["Deny"]},
}


@pytest.fixture
def desk(fairlead: FairleadServer, cluster: Cluster, tmp_path: Path) -> Desk:
    """Give a desk."""
    return Desk(fairlead, cluster, tmp_path)


def test_fit_to_be_joined(desk: Desk) -> None:
    """For an agent on this machine all is well; one in the cluster needs an address. Nothing is made."""
    before = desk.cluster.kubectl("get", "namespaces,clusterroles,clusterrolebindings", "-o", "name")
    pre = ("--pre", "--context", desk.cluster.context, "--name", "north")
    results, code = desk.check(*pre, "--as-process")
    assert [one for one in results.values() if one["result"] != "success"] == []
    assert (code, "join-admission" in results, "join-reach" in results) == (0, True, False)
    wrong = desk.wrong(*pre)
    assert wrong.keys() == {"join-address", "join-reach"}
    assert wrong["join-address"].startswith("error: https://127.0.0.1:")
    assert wrong["join-reach"].startswith("warning: not verified: ")
    after = desk.cluster.kubectl("get", "namespaces,clusterroles,clusterrolebindings", "-o", "name")
    assert before == after


def test_unfit(desk: Desk) -> None:
    """Names that are taken, a policy that refuses, a workspace instead of a cluster, a user without rights."""
    east, pre = desk.cluster, ("--pre", "--context", desk.cluster.context, "--name", "north")
    east.kubectl("create", "namespace", "kcp-syncer-north-01234567")
    east.kubectl("create", "-f", "-", stdin=json.dumps(POLICY))
    east.kubectl("create", "-f", "-", stdin=json.dumps(BINDING))
    try:
        refused = wait_until(lambda: desk.wrong(*pre).get("join-admission"), 20)
        assert "not here" in str(refused)
        assert desk.wrong(*pre)["join-names"] == "error: somebody else has namespace/kcp-syncer-north-01234567"
        _without_rights(desk)
    finally:
        east.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "no-deployments")
        east.kubectl("delete", "namespace", "kcp-syncer-north-01234567", "--wait=false")
    wrong = desk.wrong("--pre", "--context", "root")
    assert "is a workspace, not a cluster" in wrong["join-cluster"]
    assert wrong["join-names"] == "skipped: not tried: join-cluster failed"
    assert desk.run("kubectl-fairlead", "check", "--pre").returncode == 2


def _without_rights(desk: Desk) -> None:
    """Somebody who may look at namespaces and no more."""
    east = desk.cluster
    east.kubectl("create", "serviceaccount", "reader", "-n", "default")
    east.kubectl("create", "clusterrole", "reader", "--verb=get,list", "--resource=namespaces")
    east.kubectl("create", "clusterrolebinding", "reader", "--clusterrole=reader", "--serviceaccount=default:reader")
    try:
        token = east.kubectl("create", "token", "reader", "-n", "default").strip()
        write_kubeconfig(desk.folder / "reader", "reader", east.server, east.certificate_authority, token)
        wrong = desk.wrong(
            *("--pre", "--kubeconfig", str(desk.folder / "reader"), "--context", "reader", "--name", "south"),
            *("--from-kubeconfig", str(desk.server.kubeconfig)),
        )
        assert "you may not " in wrong["join-rights"]
        assert "get/create/patch/delete clusterroles.rbac.authorization.k8s.io" in wrong["join-rights"]
        assert wrong["join-names"].startswith("warning: not verified: ")
        assert "is forbidden" in wrong["join-admission"]
    finally:
        east.kubectl("delete", "clusterrolebinding,clusterrole", "reader")
        east.kubectl("delete", "serviceaccount", "reader", "-n", "default")


Ask = Callable[[probe.Probe], Awaitable[Finding | None]]


@pytest.fixture
def ask(desk: Desk) -> Iterator[Ask]:
    """Give what asks from inside the cluster; afterwards no Pod may be left."""

    async def go(asked: probe.Probe) -> Finding | None:
        credentials = kubeconfig.load([desk.cluster.kubeconfig]).credentials()
        async with Client(credentials) as client:
            return await probe.ask(client, asked)

    yield go
    assert desk.cluster.kubectl("get", "pods", "-n", "default", "-o", "name") == ""


async def told(ask: Ask, asked: probe.Probe) -> Finding:
    """Return the finding that there has to be."""
    found = await ask(asked)
    assert found is not None
    return found


async def test_asked_from_inside(desk: Desk, ask: Ask, tmp_path: Path) -> None:
    """The Pod's own command, run as a kubelet would, finds the server, or says at which stage it did not."""
    authority = (desk.server.directory / "ca.crt").read_text()
    other = make_authority(tmp_path).certificate.read_text()
    with kubelet(desk.cluster, tmp_path) as played:
        assert await ask(probe.Probe(desk.server.url, authority, "i")) is None
        [pod] = played.seen
        assert pod["spec"]["automountServiceAccountToken"] is False
        found = await told(ask, probe.Probe(desk.server.url, other, "i"))
        assert "TLS fails" in found.text
        found = await told(ask, probe.Probe("https://127.0.0.1:1", authority, "i"))
        assert (found.level, "no connection comes about" in found.text) == (None, True)
        found = await told(ask, probe.Probe("https://no-such-host.invalid", authority, "i"))
        assert "its name cannot be resolved" in found.text


async def test_not_verified(desk: Desk, ask: Ask, tmp_path: Path) -> None:
    """No node, an image that cannot be pulled, nobody who runs it: a warning with the reason."""
    asked = probe.Probe(desk.server.url, "", "no/such:image", timeout_s=2)
    found = await told(ask, asked)
    assert (found.level, found.text) == (
        Level.WARNING,
        "not verified: the cluster has no nodes, so no Pod can run there",
    )
    with kubelet(desk.cluster, tmp_path, trouble="ImagePullBackOff"):
        found = await told(ask, asked)
        assert found.level is Level.WARNING
        assert "the image cannot be pulled" in found.text
    with kubelet(desk.cluster, tmp_path, trouble="ContainerCreating"):
        found = await told(ask, asked)
        assert found.level is Level.WARNING
        assert found.text.endswith("was still Pending after 2 s")


async def test_a_node_that_is_played(two_clusters: tuple[Cluster, Cluster]) -> None:
    """Where kwok plays nodes, a Pod is said to run and does nothing: not verified, and the Pod goes."""
    east = two_clusters[0]
    async with Client(kubeconfig.load([east.kubeconfig]).credentials()) as client:
        found = await told(
            lambda asked: probe.ask(client, asked), probe.Probe("https://plane.test", "", "i", timeout_s=3)
        )
    assert found.level is Level.WARNING
    assert found.text.endswith("was still Running after 3 s")
    wait_until(lambda: "fairlead-check" not in east.kubectl("get", "pods", "-n", "default", "-o", "name"), 10)
