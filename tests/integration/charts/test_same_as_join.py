"""The chart and ``kubectl fairlead cluster join`` make the same agent."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fairlead_api import JsonObject
from fairlead_cli import manifests
from fairlead_cli.chart_values import chart_values
from fairlead_cli.manifests import Agent
from tests.support.charts import SYNCER, Helm

PLAIN = Agent(
    name="east",
    uid="11111111-2222-3333-4444-555555555555",
    cluster="1abc",
    server="https://fairlead.example:443",
    ca="",
    resources=(("", "services"), ("apps", "deployments")),
    namespace="agents",
    key="-----BEGIN PRIVATE KEY-----\nKEY\n-----END PRIVATE KEY-----\n",
    image="fairlead:v1",
)
MUCH = replace(
    PLAIN,
    privileged=True,
    name="east.1",
    server="https://[fd00::1]:6443",
    ca="-----BEGIN CERTIFICATE-----\nCA\n-----END CERTIFICATE-----\n",
    resources=(
        ("networking.k8s.io", "ingresses"),
        ("", "services"),
        ("", "pods"),
        ("", "events"),
        ("", "secrets"),
        ("discovery.k8s.io", "endpointslices"),
        ("apps", "statefulsets"),
        ("apps", "deployments"),
        ("", "services"),
    ),
    namespace="",
    bootstrap_token="once",
    image="registry.example:5000/team/fairlead",
    replicas=2,
    arguments=("--log-level=debug", "--api-url=https://fairlead.example"),
    upstream_namespace="shop",
    listed=(("", "configmaps"), ("", "pods"), ("", "resourcequotas"), ("apps", "daemonsets"), ("a.example", "widgets")),
)
WIDE = replace(PLAIN, wide=True, policy=False)
PINNED = replace(PLAIN, image="registry.example/fairlead:v1@sha256:" + "0" * 64)
NOT_OF_JOIN = {"PodDisruptionBudget", "NetworkPolicy"}


def _by_name(objects: list[JsonObject]) -> dict[tuple[str, str], JsonObject]:
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def _without_labels(one: JsonObject) -> JsonObject:
    metadata = {key: value for key, value in one["metadata"].items() if key != "labels"}
    data = one.get("stringData", {})
    readable = {"stringData": {**data, "kubeconfig": json.loads(data["kubeconfig"])}} if data else {}
    return {**one, "metadata": metadata, **readable}


@pytest.mark.parametrize("agent", [PLAIN, MUCH, PINNED, WIDE], ids=["plain", "much", "pinned", "wide"])
def test_same_rights_and_pod(helm: Helm, agent: Agent) -> None:
    """Rights, credentials and Deployment are equal to the letter; of labels the chart has more, on the objects only."""
    joined = _by_name(manifests.manifest(agent))
    installed = _by_name(
        helm.render(SYNCER, chart_values(agent), release=agent.id[:53].strip("-."), namespace=agent.home)
    )
    del joined["Namespace", agent.home]  # helm makes the release's namespace, or whoever runs it
    assert {key for key in installed if key[0] not in NOT_OF_JOIN} == set(joined)
    for key, expected in joined.items():
        found = installed[key]
        assert expected["metadata"]["labels"].items() <= found["metadata"]["labels"].items(), key
        assert _without_labels(found) == _without_labels(_with_tag(expected)), key


def _with_tag(one: JsonObject) -> JsonObject:
    """Write out what join leaves to the runtime and the chart to nobody: the tag of an image without one."""
    if one["kind"] != "Deployment":
        return one
    copied: JsonObject = json.loads(json.dumps(one))
    (container,) = copied["spec"]["template"]["spec"]["containers"]
    image = container["image"]
    if "@" in image:
        container["image"] = image.partition(":v1@")[0] + "@" + image.partition("@")[2]
    elif ":" not in image.rpartition("/")[2]:
        container["image"] = f"{image}:latest"
    return copied
