"""The steps of the demo, each asserted from what the watches saw."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import yaml

from fairlead_api import JsonObject
from fairlead_api.conditions import is_true
from fairlead_cli import labs
from fairlead_cli.demo_history import History, fewest_ready, follow, is_ready_pod
from fairlead_cli.demo_stage import Stage
from fairlead_cli.demo_telling import Telling
from fairlead_cli.failure import Failure
from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client, Gvr

CLUSTERS, WORKSPACE, NAME, REPLICAS = 3, "shop", "web", 3
MARK = "app.kubernetes.io/part-of=fairlead-demo"
_PART_OF = dict([MARK.split("=")])
DEPLOYMENTS, PODS = Gvr("apps", "v1", "deployments"), Gvr("", "v1", "pods")
SERVICES, CONFIG_MAPS = Gvr("", "v1", "services"), Gvr("", "v1", "configmaps")
SYNC_TARGETS = Gvr("workload.kcp.io", "v1alpha1", "synctargets")
PLACEMENTS = Gvr("scheduling.kcp.io", "v1alpha1", "placements")
_APPLIED = {"ConfigMap": CONFIG_MAPS, "Deployment": DEPLOYMENTS, "Service": SERVICES}
_CONTEXT = "base"  # kubectl ws moves the current one
_WAIT_S = 60.0

APP: tuple[JsonObject, ...] = (
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "labels": _PART_OF},
        "data": {"greeting": "hello"},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "labels": _PART_OF},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": {"app": NAME, **_PART_OF}},
                "spec": {
                    "containers": [
                        {
                            "name": NAME,
                            "image": "nginx:1.29",
                            "ports": [{"containerPort": 80}],
                            "envFrom": [{"configMapRef": {"name": "settings"}}],
                        }
                    ]
                },
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "labels": _PART_OF},
        "spec": {"selector": {"app": NAME}, "ports": [{"port": 80}]},
    },
)


class Story:
    """The demo."""

    def __init__(self, stage: Stage, telling: Telling) -> None:
        self._stage = stage
        self._telling = telling
        self._history = History()
        self._clients = AsyncExitStack()
        self._watches: list[asyncio.Task[None]] = []
        self._labs: list[labs.Lab] = []

    async def tell(self) -> None:
        """
        Play all steps.

        Raises:
            Failure: A step failed, or a ready replica was lost; perhaps inside a group.
        """
        self._telling.say("Fairlead demo: one Kubernetes endpoint in front of three clusters.")
        self._telling.say("The clusters are SIMULATED: real Kubernetes APIs whose nodes and pods are only played.")
        async with self._clients, asyncio.TaskGroup() as group:
            await self._start(group)
            await self._join()
            await self._make_workspace(group)
            await self._apply()
            place = await self._show()
            await self._drain(place)
            for watch in self._watches:
                watch.cancel()

    def tell_how_to_go_on(self, *, keep: bool) -> None:
        """Say what to type next."""
        say, stage = self._telling.say, self._stage
        hint = "" if shutil.which("fairlead") else f"   export PATH={Path(sys.executable).parent}:$PATH"
        if keep:
            say("\n".join(filter(None, ("It all still runs. Go on with:", hint))))
            say(f"   export KUBECONFIG={stage.kubeconfig}")
            say(f"   kubectl get deployments,pods            # the workspace root:{WORKSPACE}")
            say(f"   kubectl fairlead why deployment/{NAME}")
            say(f"   kubectl --context {self._labs[0].name} get pods -A   # a cluster")
            say(f"   fairlead demo --stop {stage.path}   # stop and remove everything")
            return
        say("Everything is stopped and removed. Go on with:")
        say("   make demo KEEP=1                  # the same, left running, to look around")
        say("\n".join(filter(None, ("or step by step:", hint))))
        say("   fairlead lab up --clusters 3")
        say("   fairlead start &")
        say("   export KUBECONFIG=$PWD/.fairlead/admin.kubeconfig:$PWD/.fairlead-lab/kubeconfig")
        say("   kubectl fairlead cluster join lab-eu-1 --context lab-eu-1 --as-process")
        say("   kubectl ws create shop --compute --enter")
        say("   kubectl apply -f YOUR-APP.yaml")

    async def _start(self, group: asyncio.TaskGroup) -> None:
        tell = self._telling
        tell.step("Start a control plane and three clusters", "One API for everybody; three places where work can run.")
        tell.command("fairlead start &")
        plane = self._stage.start_control_plane()
        tell.command(f"fairlead lab up --clusters {CLUSTERS}")
        specs = [labs.LabSpec(name, region) for name, region in labs.names(CLUSTERS)]
        self._labs = await asyncio.to_thread(labs.up, self._stage.clusters, specs, _WAIT_S)
        url = await asyncio.to_thread(self._stage.wait_ready, plane)
        for lab in self._labs:
            client = await self._client(lab.kubeconfig)
            for gvr in (PODS, *_APPLIED.values()):
                await self._follow(group, client, lab.name, gvr, selector=MARK)
        root = (await self._client(self._stage.admin)).at("root")
        await self._follow(group, root, "root", SYNC_TARGETS)
        tell.seen(f"control plane at {url}; simulated clusters {', '.join(lab.name for lab in self._labs)}")

    async def _join(self) -> None:
        tell = self._telling
        tell.step("Join the clusters", "An agent per cluster, with a key of its own, dials out to the control plane.")
        commands = []
        for lab in self._labs:
            shown = f"kubectl fairlead cluster join {lab.name} --context {lab.name} --as-process"
            shown += f" --label region={lab.spec().region}"
            tell.command(shown)
            commands.append([*shown.split(), f"--state-directory={self._stage.agent(lab.name).path}"])
        await asyncio.gather(*map(self._stage.run, commands))

        def are_ready() -> bool:
            targets = self._history.all("root", "SyncTarget")
            ready = [one for one in targets if is_true((one.get("status") or {}).get("conditions"), "Ready")]
            return len(ready) == CLUSTERS

        await self._until(are_ready, "not all clusters became ready")
        tell.command("kubectl fairlead cluster list")
        tell.output(await self._stage.run(["kubectl", "fairlead", "cluster", "list"]))
        tell.seen("all three are heard of; a cluster that takes work is called a SyncTarget")

    async def _make_workspace(self, group: asyncio.TaskGroup) -> None:
        tell = self._telling
        why = "A team's own API, as separate as a cluster and as cheap as a namespace; --compute: it can run workloads."
        tell.step("Make a workspace", why)
        command = f"kubectl ws create {WORKSPACE} --compute --enter"
        tell.command(command)
        tell.output(await self._stage.run(command.split()))
        client = (await self._client(self._stage.admin)).at(f"root:{WORKSPACE}")
        for gvr in (PLACEMENTS, DEPLOYMENTS, PODS):
            await self._follow(group, client, WORKSPACE, gvr, selector="" if gvr is PLACEMENTS else MARK)

        def is_bound() -> bool:
            placements = self._history.all(WORKSPACE, "Placement")
            return any((one.get("status") or {}).get("phase") == "Bound" for one in placements)

        await self._until(is_bound, "the workspace's Placement was not bound to a Location")
        tell.seen(f"root:{WORKSPACE} is ready; its Placement, which says where work may go, found clusters")

    async def _apply(self) -> None:
        tell = self._telling
        tell.step(
            "Apply a plain app", "An unchanged Deployment, Service and ConfigMap; nothing in them names a cluster."
        )
        file = self._stage.path / "app.yaml"
        file.write_text(yaml.safe_dump_all(APP, sort_keys=False))
        if shutil.which("kubectl"):
            tell.command("kubectl apply -f app.yaml")
            tell.output(await self._stage.run(["kubectl", "apply", "-f", str(file)]))
        else:
            tell.command("kubectl apply --server-side -f app.yaml   (no kubectl here: done by our own client)")
            client = (await self._client(self._stage.admin)).at(f"root:{WORKSPACE}")
            for body in APP:
                await client.apply(_APPLIED[body["kind"]], body, namespace="default", field_manager="kubectl")
        await self._until(lambda: self._upstream_ready() == REPLICAS, "the Deployment did not become ready")
        tell.seen(f"the workspace's Deployment says {REPLICAS} of {REPLICAS} ready: its status came back")

    async def _show(self) -> str:
        """Show where the app runs; return the cluster."""
        tell = self._telling
        tell.step(
            "See where it runs",
            "Users need not know; whoever asks is told. The cluster has a namespace of its own for each of theirs.",
        )
        tell.command(f"kubectl fairlead where deployment/{NAME}")
        tell.output(await self._stage.run(["kubectl", "fairlead", "where", f"deployment/{NAME}"]))
        await self._until(lambda: len(self._ready(WORKSPACE)) == REPLICAS, "the pods did not show up in the workspace")
        tell.command("kubectl get deployments,pods")
        if shutil.which("kubectl"):
            tell.output(await self._stage.run(["kubectl", "get", "deployments,pods"]))
        else:
            tell.output("\n".join(f"pod/{pod['metadata']['name']} Ready" for pod in self._ready(WORKSPACE)))
        places = [lab.name for lab in self._labs if self._ready(lab.name)]
        if len(places) != 1 or not self._has_all(places[0]):
            raise Failure(
                "the app does not run in exactly one cluster", f"ready pods in: {', '.join(places) or 'none'}"
            )
        tell.seen(f"Deployment, Service and ConfigMap are in {places[0]}, with {REPLICAS} ready pods")
        return places[0]

    async def _drain(self, place: str) -> None:
        tell = self._telling
        tell.step(
            f"Drain {place}",
            "As before maintenance: everything moves away, and the new copy is ready before the old one goes.",
        )
        others = [lab.name for lab in self._labs if lab.name != place]
        since_s = asyncio.get_running_loop().time()
        command = f"kubectl fairlead cluster drain {place} --workspace root --yes"
        tell.command(command)
        tell.output(await self._stage.run(command.split()))
        await self._until(lambda: not self._history.all(place, "Pod"), f"pods are left in {place}")
        await self._until(lambda: any(len(self._ready(one)) == REPLICAS for one in others), "the app is nowhere ready")
        await self._until(lambda: self._upstream_ready() == REPLICAS, "the Deployment's status did not come to rest")
        check_drain(self._history, [lab.name for lab in self._labs], since_s)
        tell.command(f"kubectl fairlead where deployment/{NAME}")
        tell.output(await self._stage.run(["kubectl", "fairlead", "where", f"deployment/{NAME}"]))
        events = sum(seen.at_s > since_s for seen in self._history.events)
        tell.seen(f"ready pods never fell below {REPLICAS} in {events} watch events; nothing is left in {place}")

    def _has_all(self, place: str) -> bool:
        return all(self._history.all(place, kind) for kind in _APPLIED)

    def _ready(self, place: str) -> list[JsonObject]:
        return [pod for pod in self._history.all(place, "Pod") if is_ready_pod(pod)]

    def _upstream_ready(self) -> int:
        """Return the ready replicas that the workspace's Deployment shows; 0 while its status is of an older spec."""
        for one in self._history.all(WORKSPACE, "Deployment"):
            status = one.get("status") or {}
            if status.get("observedGeneration") == one["metadata"].get("generation"):
                return int(status.get("readyReplicas") or 0)
        return 0

    async def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        if not await self._history.until(condition, _WAIT_S):
            raise Failure(otherwise, f"waited {_WAIT_S:g} s")

    async def _client(self, path: Path) -> Client:
        credentials = kubeconfig.load([path], explicit=True).credentials(_CONTEXT if path == self._stage.admin else "")
        return await self._clients.enter_async_context(Client(credentials, user_agent="fairlead-demo", base=""))

    async def _follow(
        self, group: asyncio.TaskGroup, client: Client, place: str, gvr: Gvr, *, selector: str = ""
    ) -> None:
        begun = asyncio.Event()
        watch = follow(self._history, client, place, gvr, begun, selector=selector)
        self._watches.append(group.create_task(watch, name=f"watch {gvr} in {place}"))
        await begun.wait()


def check_drain(history: History, places: Sequence[str], since_s: float) -> None:
    """
    Prove from the history of all clusters that a drain lost no ready replica, and that the workspace never showed it.

    Raises:
        Failure: It did.
    """
    fewest = fewest_ready(history.events, places, since_s)
    if fewest < REPLICAS:
        raise Failure("a ready replica was lost during the drain", f"{fewest} of {REPLICAS} were ready at some moment")
    for seen in history.events:
        if seen.place == WORKSPACE and seen.object.get("kind") == "Deployment" and seen.at_s > since_s:
            shown = int((seen.object.get("status") or {}).get("readyReplicas") or 0)
            if seen.type == "DELETED" or shown < REPLICAS:
                raise Failure("the workspace showed a lost replica during the drain", f"readyReplicas was {shown}")
