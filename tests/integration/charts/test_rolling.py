"""
What a Deployment of the agent does in a rolling update, done with processes: the next one starts, gets ready by the
probe that is rendered, and only then the old one is told to end. Edits go on meanwhile.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from fairlead_cli import downstream, manifests
from fairlead_cli.kinds import DEPLOYMENTS
from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client
from tests.integration.charts.test_same_as_join import PLAIN
from tests.integration.syncer.conftest import Between
from tests.integration.syncer.joined import Joined
from tests.integration.syncer.test_life_leader import leader
from tests.support import processes
from tests.support.charts import of_kind
from tests.support.clusters import Cluster
from tests.support.servers import PROGRAMS
from tests.support.waiting import wait_until

ROLLS = 3
EVERY_S = 0.1
HAND_OVER_S = 8.0
"""The longest an edit may wait while one agent hands over to the next: it asks every second, then looks at both sides;
the rest is room for a busy machine."""


@pytest.fixture
def joined(kube_cluster: Cluster, tmp_path: Path) -> Iterator[Joined]:
    """Give a workspace whose namespace ``default`` runs in a cluster."""
    with Between(kube_cluster, tmp_path) as made:
        yield made


@dataclass
class Deployment:
    """The agent's Deployment as it is rendered, played with processes of this machine."""

    joined: Joined
    body: JsonObject
    made: int = 0
    running: list[tuple[processes.Process, int]] = field(default_factory=list)

    @property
    def pod(self) -> JsonObject:
        spec: JsonObject = self.body["spec"]["template"]["spec"]
        return spec

    def start(self) -> tuple[processes.Process, int]:
        """Start another Pod; return it and the port of its probes."""
        self.made += 1
        (port,) = processes.free_ports(1)
        process = processes.start(f"agent-{self.made}", self._command(port), log=self._folder / "agent.log")
        self.running.append((process, port))
        return process, port

    def surge(self) -> int:
        """Start another Pod and wait until its readiness probe takes it; return the port of its probes."""
        process, port = self.start()
        process.wait_ready(lambda: self.probe("readinessProbe", port) == 200, 30)
        assert self.probe("livenessProbe", port) == 200
        return port

    def probe(self, name: str, port: int) -> int:
        """Do what the container's probe says; return the code, 0 when nobody answers."""
        (container,) = self.pod["containers"]
        return probed(port, container[name])

    def end_oldest(self) -> float:
        """Do what a kubelet does to a Pod that has to go; return how long it took, in seconds."""
        process, _ = self.running.pop(0)
        began = time.monotonic()
        assert process.stop(self.pod["terminationGracePeriodSeconds"]) == 0
        return time.monotonic() - began

    @property
    def _folder(self) -> Path:
        return self.joined.folder / f"pod-{self.made}"

    def _command(self, port: int) -> list[str]:
        """Return the container's command, with the files of a Pod in a folder of its own."""
        (container,) = self.pod["containers"]
        settings, state = self._folder / "kcp", self._folder / "state"
        settings.mkdir(parents=True)
        state.mkdir()
        given = self.joined.folder / f"agent-{self.joined.uid}" / manifests.IDENTITY_KEY
        for folder in (settings, state):  # both are mounted from the Secret
            (folder / manifests.IDENTITY_KEY).write_bytes(given.read_bytes())
        upstream = (self.joined.folder / "upstream.kubeconfig").read_text()
        (settings / manifests.KUBECONFIG_KEY).write_text(upstream)
        (settings / manifests.BOOTSTRAP_KEY).write_text((self.joined.folder / "bootstrap").read_text())  # used up
        mounts = {one["mountPath"] for one in container["volumeMounts"]}
        assert {"/kcp", "/var/lib/fairlead-syncer"} <= mounts
        replaced = {"/kcp/": f"{settings}/", "=/var/lib/fairlead-syncer": f"={state}", "=:8081": f"=127.0.0.1:{port}"}
        words: list[str] = [*container["command"], *container["args"]]
        for example, real in replaced.items():
            assert any(example in word for word in words), example
            words = [word.replace(example, real) for word in words]
        return [str(PROGRAMS / words[0]), *words[1:], f"--to-kubeconfig={self.joined.folder / 'cluster.kubeconfig'}"]


@pytest.fixture
def deployment(joined: Joined) -> Iterator[Deployment]:
    """Give the Deployment that ``join`` would make, without Pods so far."""
    made = Deployment(joined, of_kind(manifests.manifest(joined.manifest()), "Deployment"))
    yield made
    for process, _ in made.running:
        process.stop()


def probed(port: int, probe: JsonObject) -> int:
    """Ask as a kubelet would; 0 when nobody answers."""
    url = f"http://127.0.0.1:{port}{probe['httpGet']['path']}"
    try:
        with urllib.request.urlopen(url, timeout=probe["timeoutSeconds"]) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


class Edits:
    """One object that is changed ten times a second, and what the cluster has of it, in order."""

    def __init__(self, joined: Joined) -> None:
        self._joined = joined
        self._done = threading.Event()
        self._last = -1
        self.written: dict[int, float] = {}
        self.seen: list[tuple[int, float]] = []
        self._threads = [threading.Thread(target=work, name=work.__name__) for work in (self._watch, self._write)]

    def __enter__(self) -> Edits:
        self._joined.write("rolling", "0")
        self._joined.wait_value("rolling", "0")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        watch, write = self._threads
        self._done.set()
        write.join()
        self._last = max(self.written) + 1
        self._write_one(self._last)  # what the watch waits for, lest it waits for what it has seen
        watch.join()

    def _write(self) -> None:
        number = 0
        while not self._done.wait(EVERY_S):
            number += 1
            self._write_one(number)

    def _write_one(self, number: int) -> None:
        self.written[number] = time.monotonic()
        self._joined.write("rolling", str(number))

    def _watch(self) -> None:
        """Follow the cluster's object until it holds what is written last."""
        joined = self._joined
        path = f"/api/v1/namespaces/{joined.home()}/configmaps?watch=true&fieldSelector=metadata.name%3Drolling"
        url = f"{path}&resourceVersion={(joined.down_map('rolling') or {})['metadata']['resourceVersion']}"
        with joined.down.stream(url) as answer:
            for line in answer:
                self.seen.append((int(json.loads(line)["object"]["data"]["k"]), time.monotonic()))
                if self.seen[-1][0] == self._last:
                    return

    def longest_wait_s(self) -> float:
        """Return how long the edit waited that waited longest for the cluster to have it, or a later one."""
        reached = iter(self.seen)
        has, at = 0, 0.0
        longest = 0.0
        for number, written in sorted(self.written.items()):
            while has < number:
                has, at = next(reached)
            longest = max(longest, at - written)
        return longest


def test_no_edit_waits_and_none_is_undone_while_agents_are_replaced(
    deployment: Deployment, record_property: Callable[[str, object], None]
) -> None:
    """Three rollouts under a stream of edits: each hands over once, nothing is applied twice, nothing goes back."""
    joined = deployment.joined
    strategy = deployment.body["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    deployment.surge()
    joined.stop_agent()
    wait_until(lambda: leader(joined).get("epoch") == 2, HAND_OVER_S)
    uid = (joined.write("rolling", "0"), joined.wait_value("rolling", "0"))[1]["metadata"]["uid"]
    began, epoch = joined.audited(), leader(joined)["epoch"]
    ended: list[float] = []
    with Edits(joined) as edits:
        for roll in range(1, ROLLS + 1):
            standby = deployment.surge()
            assert leader(joined)["epoch"] == epoch + roll - 1  # ready, and not at work
            ended.append(deployment.end_oldest())
            wait_until(lambda roll=roll: leader(joined)["epoch"] == epoch + roll, HAND_OVER_S)  # type: ignore[misc]  # a default
            reached = max(edits.written)
            wait_until(lambda reached=reached: edits.seen[-1][0] > reached, HAND_OVER_S)  # type: ignore[misc]  # a default
            assert deployment.probe("readinessProbe", standby) == 200
    deployment.end_oldest()
    values = [value for value, _ in edits.seen]
    assert values == sorted(set(values))  # no value comes back, and none is written twice
    assert (joined.down_map("rolling") or {})["metadata"]["uid"] == uid
    assert joined.agent_writes("create", "delete", since=began) == []
    waited = edits.longest_wait_s()
    record_property("longest wait of an edit, seconds", round(waited, 2))
    print(f"{len(edits.written)} edits, {ROLLS} rollouts: the longest wait {waited:.2f} s, agents ended in {ended}")
    assert waited < HAND_OVER_S
    assert max(ended) < deployment.pod["terminationGracePeriodSeconds"] / 2


def test_an_agent_that_cannot_take_over_is_not_ready(deployment: Deployment) -> None:
    """Its cluster refuses it: alive, not ready; so the rollout stops there, and the old one works on."""
    joined = deployment.joined
    good = joined.folder / "cluster.kubeconfig"
    text = good.read_text()
    good.write_text(text.replace('"token": "', '"token": "wrong'))
    assert good.read_text() != text
    process, port = deployment.start()
    process.wait_ready(lambda: "this one waits" in process.log.read_text(), 30)
    assert (deployment.probe("livenessProbe", port), deployment.probe("readinessProbe", port)) == (200, 503)
    good.write_text(text)
    joined.write("still", "1")
    joined.wait_value("still", "1")


async def test_joining_again_keeps_the_number_of_agents(kube_cluster: Cluster) -> None:
    """Whoever wanted two has two after the upgrade; what the version brings is applied."""
    agent = replace(PLAIN, name="scaled", namespace="")
    credentials = kubeconfig.load([kube_cluster.kubeconfig], explicit=True).credentials("")
    async with Client(credentials) as client:
        await downstream.install(client, agent, manifests.manifest(agent))
        kube_cluster.kubectl("scale", "deployment", agent.id, "-n", agent.home, "--replicas=2")
        newer = replace(agent, image="fairlead:v2")
        await downstream.install(client, newer, manifests.manifest(newer))
        spec = (await client.get(DEPLOYMENTS, agent.id, namespace=agent.home))["spec"]
    assert spec["replicas"] == 2
    assert spec["template"]["spec"]["containers"][0]["image"] == "fairlead:v2"
