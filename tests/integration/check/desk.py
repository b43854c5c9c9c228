"""A terminal with both sides' contexts, and what a kubelet would do where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairlead_api import JsonObject
from tests.support.clusters import Cluster
from tests.support.servers import FairleadServer, run_program

Results = dict[str, JsonObject]
"""By id of the check; of several subjects the last."""


@dataclass(slots=True)
class Desk:
    """Fairlead's contexts and a cluster's in one KUBECONFIG, and a home of its own."""

    server: FairleadServer
    cluster: Cluster
    folder: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the project's commands to its end."""
        env = {"KUBECONFIG": f"{self.server.kubeconfig}:{self.cluster.kubeconfig}", "HOME": str(self.folder)}
        done = run_program(program, *arguments, env=env, timeout_s=120)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def plugin(self, *arguments: str) -> str:
        """Run ``kubectl fairlead``, which must succeed."""
        done = self.run("kubectl-fairlead", *arguments)
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def check(self, *arguments: str) -> tuple[Results, int]:
        """Run ``kubectl fairlead check``; return its results and its exit code."""
        done = self.run("kubectl-fairlead", "check", "-o", "json", *arguments)
        assert done.stdout, f"exit {done.returncode}\n{done.stderr}"
        report = json.loads(done.stdout)
        results = {one["id"]: one for category in report["categories"] for one in category["checks"]}
        assert report["success"] is (done.returncode == 0)
        return results, done.returncode

    def wrong(self, *arguments: str) -> dict[str, str]:
        """Return what is not well: level and text by id."""
        results, _ = self.check(*arguments)
        return {id_: f"{one['result']}: {one['error']}" for id_, one in results.items() if one["result"] != "success"}

    def join(self) -> None:
        """Join the cluster as ``east``, with an agent on this machine."""
        self.plugin("cluster", "join", "east", "--context", self.cluster.context, "--as-process")

    def end_agent(self) -> None:
        """End the agent's process at once, by the id in its folder."""
        file = self.folder / ".fairlead" / "clusters" / "east" / "agent.pid"
        if file.exists():
            subprocess.run(["kill", "-9", file.read_text().strip()], check=False, capture_output=True)


class Kubelet:
    """Does with each Pod of a check what a kubelet would: runs its command on this machine, reports how it ended."""

    def __init__(self, cluster: Cluster, folder: Path, trouble: str = "") -> None:
        self._cluster = cluster
        self._folder = folder
        self._trouble = trouble
        self.seen: list[JsonObject] = []
        self.stop = threading.Event()

    def run(self) -> None:
        """Look after Pods until told to stop."""
        while not self.stop.wait(0.1):
            found = json.loads(self._cluster.kubectl("get", "pods", "-n", "default", "-o", "json"))["items"]
            for pod in found:
                known = [one["metadata"]["name"] for one in self.seen]
                if pod["metadata"]["name"].startswith("fairlead-check-") and pod["metadata"]["name"] not in known:
                    self.seen.append(pod)
                    self._play(pod)

    def _play(self, pod: JsonObject) -> None:
        if self._trouble:
            state: JsonObject = {"waiting": {"reason": self._trouble, "message": "no such image"}}
            self._report(pod, "Pending", state)
            return
        container, word = pod["spec"]["containers"][0], self._folder / "word"
        env = {one["name"]: one["value"] for one in container["env"]} | {"FAIRLEAD_MESSAGE": str(word)}
        command = [sys.executable, *container["command"][1:]]
        code = subprocess.run(command, env=env, check=False, timeout=30).returncode
        self._report(
            pod,
            "Failed" if code else "Succeeded",
            {"terminated": {"exitCode": code, "message": word.read_text(), "containerID": "played://1"}},
        )

    def _report(self, pod: JsonObject, phase: str, state: JsonObject) -> None:
        one = {"name": "probe", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        status = json.dumps({"status": {"phase": phase, "containerStatuses": [one]}})
        name = pod["metadata"]["name"]
        self._cluster.kubectl(
            "patch", "pod", name, "-n", "default", "--subresource=status", "--type=merge", "-p", status
        )


@contextmanager
def kubelet(cluster: Cluster, folder: Path, trouble: str = "") -> Iterator[Kubelet]:
    """Play a node for the length of a ``with`` block: a Node, a ServiceAccount, and somebody who looks after Pods."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "played"}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(node))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(account))
    played = Kubelet(cluster, folder, trouble)
    thread = threading.Thread(target=played.run)
    thread.start()
    try:
        yield played
    finally:
        played.stop.set()
        thread.join()
        cluster.kubectl("delete", "node", "played")
