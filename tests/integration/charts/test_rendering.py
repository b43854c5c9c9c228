"""What the charts make of values, and which values they refuse. No cluster."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from fairlead_api import JsonObject
from tests.support import charts
from tests.support.charts import CHARTS, CONTROL_PLANE, SYNCER, Helm, HelmFailed, of_kind, pod_specs, required_values

VALUES = sorted((Path(__file__).parent / "testdata").glob("*/*.yaml"))
RECOMMENDED = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "version", "component", "part-of")}
RECOMMENDED |= {"app.kubernetes.io/managed-by", "helm.sh/chart"}
CLUSTER_WIDE = {
    *("ClusterRole", "ClusterRoleBinding"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
}


def _values(file: Path) -> tuple[Path, JsonObject]:
    """Return the chart a values file is for, and what has to be given with what the file gives."""
    chart = CHARTS / file.parent.name
    given = yaml.safe_load(file.read_text()) or {}
    return chart, required_values() | given if chart == SYNCER else given


@pytest.fixture(params=VALUES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def rendered(request: pytest.FixtureRequest, helm: Helm) -> list[JsonObject]:
    """Give everything a chart makes of one of the values files."""
    chart, values = _values(request.param)
    return helm.render(chart, values, namespace="here")


@pytest.mark.parametrize("file", VALUES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_lint(helm: Helm, file: Path) -> None:
    """Helm's own linter finds nothing, warnings included."""
    chart, values = _values(file)
    assert "0 chart(s) failed" in helm("lint", "--strict", chart, values=values)


def test_every_object_is_labelled(rendered: list[JsonObject]) -> None:
    """The recommended labels are on all objects, and each is in the release's namespace."""
    for one in rendered:
        assert set(one["metadata"]["labels"]) >= RECOMMENDED, one["kind"]
        assert one["metadata"].get("namespace") == (None if one["kind"] in CLUSTER_WIDE else "here"), one["kind"]


def test_no_pod_names_a_version(rendered: list[JsonObject]) -> None:
    """Templates and selectors carry no label that changes with the chart; that would restart pods."""
    for one in rendered:
        if one["kind"] in {"Deployment", "StatefulSet"}:
            labels = one["spec"]["template"]["metadata"]["labels"]
            assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(labels)
            assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_every_pod_is_restricted(rendered: list[JsonObject]) -> None:
    """Every container runs as 65532 on a read-only root without capabilities, and has requests and a memory limit."""
    for spec in pod_specs(rendered):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 65532
        for container in [*spec["containers"], *spec.get("initContainers", ())]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_network_is_shut_but_for_what_is_needed(helm: Helm) -> None:
    """The server is reached on its port; the agent on none. Both reach DNS and what their values name."""

    def ports(policy: JsonObject) -> list[object]:
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        return [one["port"] for rule in policy["spec"]["egress"] for one in rule["ports"]]

    values = {
        "externalUrl": "https://fairlead.example",
        "store": {"type": "etcd", "etcd": {"servers": ["https://a:2379", "https://b:2379", "http://c"]}},
    }
    server = of_kind(helm.render(CONTROL_PLANE, values), "NetworkPolicy")
    assert server["spec"]["ingress"] == [{"ports": [{"port": "https", "protocol": "TCP"}]}]
    assert ports(server) == [53, 53, 2379, 80]
    plain = helm.render(CONTROL_PLANE, {"externalUrl": "https://fairlead.example"})
    assert ports(of_kind(plain, "NetworkPolicy")) == [53, 53]
    url = {"controlPlane": {"url": "https://fairlead.example:7443"}}
    agent = of_kind(helm.render(SYNCER, required_values() | url), "NetworkPolicy")
    assert agent["spec"]["ingress"] == []
    assert ports(agent) == [53, 53, 7443, 443, 6443]


def test_one_agent_alone_has_no_budget(helm: Helm) -> None:
    """A PodDisruptionBudget is for two and more: it could only keep the node of a single one from being drained."""
    alone, two = (helm.render(SYNCER, required_values() | {"replicaCount": count}) for count in (1, 2))
    assert "PodDisruptionBudget" not in {one["kind"] for one in alone}
    assert of_kind(two, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_values_reach_the_server(helm: Helm) -> None:
    """Store, secrets, image and placing end up where the server and the scheduler of the cluster look for them."""
    file = next(file for file in VALUES if file.stem == "everything" and file.parent.name == "fairlead")
    objects = helm.render(*_values(file))
    spec = of_kind(objects, "StatefulSet")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == "registry.example/fairlead@sha256:" + "0" * 64
    assert container["command"] == ["fairlead", "start"]
    assert container["args"] == [
        "--root-directory=/var/lib/fairlead/server",
        "--bind-address=0.0.0.0",
        "--secure-port=6443",
        "--external-url=https://fairlead.example:443",
        "--store=etcd",
        "--etcd-servers=https://a:2379,https://b:2379",
        "--token-auth-file=/etc/fairlead/tokens/people.csv",
        "--client-ca-file=/etc/fairlead/client-ca/ca.crt",
        "--grace=20",
    ]
    mounted = {one["name"]: one.get("secret", {}).get("secretName") for one in spec["volumes"]}
    assert mounted == {"temporary": None, "ca": "our-ca", "tokens": "people", "client-ca": "staff-ca"}
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")} == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    monitor = of_kind(objects, "ServiceMonitor")["spec"]["endpoints"][0]
    assert monitor["authorization"]["credentials"] == {"name": "scraper", "key": "token"}
    assert of_kind(objects, "Ingress")["spec"]["rules"][0]["host"] == "fairlead.example"


def test_the_check_runs_in_a_pod_of_the_image(helm: Helm) -> None:
    """``helm test`` runs the check; the server's beside the server, for it shares the volume."""
    pod = of_kind(helm.render(CONTROL_PLANE, release="fairlead"), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["fairlead", "check", "--wait", "45s"]
    assert container["env"][0] == {"name": "KUBECONFIG", "value": "/var/lib/fairlead/server/admin.kubeconfig"}
    assert pod["spec"]["volumes"][1]["persistentVolumeClaim"] == {"claimName": "data-fairlead-0"}
    alone = helm.render(CONTROL_PLANE, {"persistence": {"accessMode": "ReadWriteOncePod"}})
    for objects in (alone, helm.render(SYNCER, required_values())):  # no kubeconfig that a second pod may read
        assert "Pod" not in {one["kind"] for one in objects}
    given = required_values() | {"tests": {"existingSecret": "reader", "extraArgs": ["-o=json"]}}
    (container,) = of_kind(helm.render(SYNCER, given), "Pod")["spec"]["containers"]
    assert container["args"] == ["--cluster=east", "-o=json"]


REFUSED = [
    (CONTROL_PLANE, {"externalURL": "https://x"}, "additional properties 'externalURL' not allowed"),
    (CONTROL_PLANE, {"image": {"tags": "v1"}}, "at '/image': additional properties 'tags' not allowed"),
    (CONTROL_PLANE, {"externalUrl": "http://fairlead.example"}, "at '/externalUrl'"),
    (CONTROL_PLANE, {"externalUrl": "https://fairlead.example/path"}, "at '/externalUrl'"),
    (CONTROL_PLANE, {"store": {"type": "postgres"}}, "value must be one of 'sqlite', 'etcd'"),
    (CONTROL_PLANE, {"store": {"type": "etcd"}}, "store.etcd.servers is required with store.type=etcd"),
    (CONTROL_PLANE, {"store": {"etcd": {"servers": ["http://a:1"]}}}, "set store.type=etcd"),
    (CONTROL_PLANE, {"service": {"type": "LoadBalancer"}}, "externalUrl is required because service.type is LoadBalan"),
    (CONTROL_PLANE, {"ingress": {"enabled": True}}, "externalUrl is required because ingress.enabled is true"),
    (CONTROL_PLANE, {"service": {"port": 70000}}, "at '/service/port'"),
    (CONTROL_PLANE, {"image": {"digest": "sha256:abc"}}, "at '/image/digest'"),
    (CONTROL_PLANE, {"persistence": {"size": 8}}, "at '/persistence/size': got number, want string"),
    (
        CONTROL_PLANE,
        {"metrics": {"serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.existingSecret is requ",
    ),
    (SYNCER, {"agentId": ""}, "agentId is required: kubectl fairlead cluster join"),
    (SYNCER, {"agentId": "kcp-syncer-east"}, "at '/agentId'"),
    (SYNCER, {"syncTarget": {"name": "east"}}, "syncTarget.cluster is required"),
    (SYNCER, {"controlPlane": {"url": "https://fairlead.example"}}, "at '/controlPlane/url'"),
    (SYNCER, {"credentials": {}}, "credentials.key or credentials.existingSecret is required"),
    (SYNCER, {"credentials": {"existingSecret": "a", "key": "b"}}, "must not be: the agent would never see them"),
    (SYNCER, {"syncedResources": ["Deployments"]}, "at '/syncedResources/0'"),
    (SYNCER, {"replicaCount": -1}, "at '/replicaCount'"),
]


@pytest.mark.parametrize(("chart", "values", "words"), REFUSED, ids=lambda value: str(value)[:50])
def test_what_is_refused(helm: Helm, chart: Path, values: JsonObject, words: str) -> None:
    """A wrong value fails before anything is made, and the message names it."""
    given = {**required_values(), **values} if chart == SYNCER else values
    with pytest.raises(HelmFailed) as refusal:
        helm.render(chart, given)
    assert words in str(refusal.value)


@pytest.mark.parametrize("chart", [CONTROL_PLANE, SYNCER], ids=lambda chart: chart.name)
def test_readme_tells_every_value(chart: Path) -> None:
    """The README's table is that of values.yaml; written anew with: python -m tests.support.charts."""
    assert charts.readme_table(chart) == charts.values_table(chart)


@pytest.mark.parametrize("chart", [CONTROL_PLANE, SYNCER], ids=lambda chart: chart.name)
def test_chart_is_of_this_version(chart: Path) -> None:
    """The image a chart names by default is the one of the program beside it."""
    project = tomllib.loads((CHARTS.parent / "pyproject.toml").read_text())["project"]
    assert yaml.safe_load((chart / "Chart.yaml").read_text())["appVersion"] == project["version"]
