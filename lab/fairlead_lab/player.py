"""The loop around the play: watches the cluster, asks what is next, and writes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, NotFound
from fairlead_lab import nodes
from fairlead_lab.play import concerned, play
from fairlead_lab.settings import LabSettings
from fairlead_lab.world import LEASES, PLAYED, PODS, Key, World
from fairlead_lab.writes import Bind, Create, Delete, Patch, Write
from fairlead_machinery.client import Client, Unreachable
from fairlead_machinery.controller import Controller
from fairlead_machinery.queue import WorkQueue
from fairlead_machinery.reflector import Delta, Reflector

log = structlog.get_logger(__name__)

_WORKERS = 8
_MAX_PAUSE_S = 5.0
_MANAGER = {"fieldManager": "fairlead-lab"}


class Player:
    """
    Plays the nodes, workloads and Services of one cluster.

    Args:
        client: An administrator of the cluster.
        settings: How it behaves.
        clock: Seconds since the epoch.

    Attributes:
        ready: Set once the nodes are there and everything has been read.
    """

    def __init__(self, client: Client, settings: LabSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._world = World()
        queue: WorkQueue[Key] = WorkQueue(max_delay_s=_MAX_PAUSE_S)
        self._controller = Controller("lab", self._step, queue=queue, workers=_WORKERS)
        self._reflectors = [
            Reflector(client, gvr, self._listener(kind), jitter=lambda: 0.0) for kind, gvr in PLAYED.items()
        ]
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Play until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run(), name="lab-reflector")
            for reflector in self._reflectors:
                await reflector.synced.wait()
            await self._register()
            group.create_task(self._controller.run(), name="lab-controller")
            group.create_task(self._beat(), name="lab-heartbeat")
            self.ready.set()

    def _listener(self, kind: str) -> Callable[[Delta], None]:
        def heard(delta: Delta) -> None:
            if delta.key is None:
                return
            if delta.kind != "deleted" and delta.object is not None:
                self._take(delta.object)
                return
            uid = delta.object["metadata"]["uid"] if delta.object is not None else ""
            self._drop(Key(kind, delta.key.namespace, delta.key.name), uid)

        return heard

    def _take(self, obj: JsonObject) -> None:
        if self._world.put(obj, self._clock()):
            for key in concerned(obj, self._world):
                self._controller.enqueue(key)

    def _drop(self, key: Key, uid: str) -> None:
        gone = self._world.remove(key, uid)
        if gone is not None:
            for other in concerned(gone, self._world):
                self._controller.enqueue(other)

    async def _register(self) -> None:
        known = [node["metadata"]["name"] for node in self._world.all("Node")]
        version = (await self._client.request("GET", "/version")).json()["gitVersion"]
        for write in nodes.registered(self._settings, known, version, self._clock()):
            await self._write(write)

    async def _step(self, key: Key) -> float | None:
        now_s = self._clock()
        played = play(key, self._world, self._settings, now_s)
        for write in played.writes:
            await self._write(write)
        return None if played.again_s is None else max(played.again_s - now_s, 0.0)

    async def _write(self, write: Write) -> None:
        """Write, and take the answer in at once, so that the next step knows of it."""
        try:
            match write:
                case Create(kind, body):
                    self._take(await self._create(kind, body))
                case Patch(key, body, subresource):
                    gvr, place = PLAYED[key.kind], key.namespace
                    answer = await self._client.patch(
                        gvr, key.name, body, namespace=place, subresource=subresource, query=_MANAGER
                    )
                    self._take(answer)
                case Delete():
                    await self._delete(write)
                case Bind():
                    await self._bind(write)
        except NotFound:
            log.debug("gone already", write=str(write))  # the watch tells

    async def _create(self, kind: str, body: JsonObject) -> JsonObject:
        gvr, namespace = PLAYED[kind], body["metadata"].get("namespace", "")
        try:
            return await self._client.create(gvr, body, namespace=namespace, query=_MANAGER)
        except AlreadyExists:
            return await self._client.get(gvr, body["metadata"]["name"], namespace=namespace)

    async def _delete(self, write: Delete) -> None:
        key = write.key
        answer = await self._client.delete(
            PLAYED[key.kind], key.name, namespace=key.namespace, uid=write.uid, grace_period_s=write.grace_s
        )
        if write.grace_s == 0:
            self._drop(key, write.uid)
        elif answer.get("kind") == key.kind:
            self._take(answer)

    async def _bind(self, write: Bind) -> None:
        key = write.key
        target = {"apiVersion": "v1", "kind": "Node", "name": write.node}
        metadata = {"name": key.name, "namespace": key.namespace, "uid": write.uid}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        await self._client.create(PODS, body, namespace=key.namespace, name=key.name, subresource="binding")
        self._take(await self._client.get(PODS, key.name, namespace=key.namespace))

    async def _beat(self) -> None:
        """Renew the leases of the nodes that live."""
        while True:
            for node in self._world.all("Node"):
                if not nodes.is_played(node) or nodes.is_failed(node):
                    continue
                now = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                lease = nodes.lease(node["metadata"]["name"], now)
                try:
                    await self._client.apply(
                        LEASES, lease, namespace="kube-node-lease", field_manager="fairlead-lab", force=True
                    )
                except (ApiError, Unreachable) as error:
                    log.warning("cannot renew a lease", node=node["metadata"]["name"], error=str(error))
            await asyncio.sleep(self._settings.lease_s)
