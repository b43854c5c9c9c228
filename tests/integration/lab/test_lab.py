"""Simulated clusters as a user starts them, asked with the project's own client."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.kubeconfig import load

DEPLOYMENTS, NODES, PODS = Gvr("apps", "v1", "deployments"), Gvr("", "v1", "nodes"), Gvr("", "v1", "pods")
DEPLOYMENT: JsonObject = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 4,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    },
}

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def fairlead(*arguments: str | Path, code: int = 0) -> str:
    """Run the command and return what it printed."""
    command = [sys.executable, "-m", "fairlead_cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def labs(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "labs"
    fairlead("lab", "up", "--clusters", "1", "--ready-after", "200ms", "--directory", directory)
    yield directory
    fairlead("lab", "down", "--directory", directory)
    assert not directory.exists()


async def replicas_ready(client: Client, wanted: int) -> None:
    """Wait until the Deployment has that many ready replicas."""
    async with asyncio.timeout(30):
        async for event in client.watch(DEPLOYMENTS, namespace="default"):
            if (event.object.get("status") or {}).get("readyReplicas", 0) == wanted:
                return


def test_a_deployment_becomes_ready_and_survives_a_node(labs: Path) -> None:
    """The version says simulated; pods get ready, a dead node's are replaced, the node comes back."""

    async def story() -> None:
        async with Client(load([labs / "kubeconfig"]).credentials("lab-eu-1")) as client:
            version = (await client.request("GET", "/version")).json()["gitVersion"]
            assert "+fairlead-lab-" in version
            await client.create(DEPLOYMENTS, DEPLOYMENT, namespace="default")
            await replicas_ready(client, 4)
            await asyncio.to_thread(fairlead, "lab", "fail-node", "lab-eu-1/lab-eu-1-node-0", "--directory", labs)
            await replicas_ready(client, 2)
            await replicas_ready(client, 4)
            pods, _ = await client.list(PODS, namespace="default")
            stay = {pod["spec"]["nodeName"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
            assert stay == {"lab-eu-1-node-1"}
            await asyncio.to_thread(fairlead, "lab", "heal-node", "lab-eu-1/lab-eu-1-node-0", "--directory", labs)
            async with asyncio.timeout(30):
                async for event in client.watch(NODES):
                    if event.object["metadata"]["name"] == "lab-eu-1-node-0" and "taints" not in event.object["spec"]:
                        break

    asyncio.run(story())


def test_up_is_idempotent_and_content_survives_down(labs: Path) -> None:
    """A second up changes nothing; down --keep and up bring the same cluster back at the same address."""

    async def deployments() -> tuple[str, list[str]]:
        credentials = load([labs / "kubeconfig"]).credentials("lab-eu-1")
        async with Client(credentials) as client:
            items, _ = await client.list(DEPLOYMENTS)
            if not items:
                await client.create(DEPLOYMENTS, DEPLOYMENT, namespace="default")
            return credentials.server, [item["metadata"]["name"] for item in items]

    pid = (labs / "lab-eu-1" / "lab.pid").read_text()
    address, _ = asyncio.run(deployments())
    fairlead("lab", "up", "--clusters", "1", "--directory", labs)
    assert (labs / "lab-eu-1" / "lab.pid").read_text() == pid
    fairlead("lab", "down", "--keep", "--directory", labs)
    assert "Stopped" in fairlead("lab", "list", "--directory", labs)
    assert "does not run" in fairlead("lab", "kubeconfig", "lab-eu-1", "--directory", labs, code=1)
    fairlead("lab", "up", "--clusters", "1", "--directory", labs)
    assert asyncio.run(deployments()) == (address, ["web"])
    assert "there is no simulated cluster" in fairlead("lab", "kubeconfig", "nope", "--directory", labs, code=1)
