"""The programs of the simulation beside its servers: agents, the scheduler, and what plays Deployments in a cluster."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_machinery import agentkeys
from fairlead_machinery.agentkeys import KEY, NEXT_KEY
from fairlead_machinery.client import MERGE_PATCH, Client, Gvr
from fairlead_machinery.kubeconfig import Credentials
from fairlead_machinery.reflector import Delta, Reflector
from fairlead_machinery.transport import Unreachable
from fairlead_scheduler import main as scheduler
from fairlead_syncer import identity
from fairlead_syncer import main as syncer
from fairlead_syncer.identity import NotLetIn, TargetGone
from fairlead_syncer.leadership import Instance
from tests.simulation.clock import SKEW_S
from tests.simulation.mood import Mood
from tests.simulation.network import LIFE, PART, Life
from tests.simulation.servers import ADMIN, SCHEDULER, key_of

PLANE = "plane"
DEPLOYMENTS = Gvr("apps", "v1", "deployments")
SYNC_TARGETS = Gvr("workload.kcp.io", "v1alpha1", "synctargets")
_RESTART_S = 5.0
_READY_S = 3.0


def to(host: str, token: str) -> Client:
    """Return a client of a host."""
    return Client(Credentials(f"https://{host}:6443", token=token))


@dataclass(frozen=True, slots=True)
class Joined:
    """A SyncTarget: ``host`` is its cluster in the network."""

    host: str
    uid: str
    cluster: str

    @property
    def part(self) -> str:
        """Return what its agent is called."""
        return f"agent:{self.uid}"


class _Instance(Instance):
    """Named by its folder, not by where that lies on a disk, which is elsewhere in each run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.name = hashlib.sha256(folder.name.encode()).hexdigest()[:32]


def install() -> None:
    """Have agents named alike in every run; for the life of this process."""
    if not hasattr(syncer, "Instance"):
        raise AttributeError("the agent is named by something else now")
    syncer.Instance = _Instance
    load_or_make = identity._load_or_make

    def stamped(folder: Path, name: str = KEY) -> Any:
        is_new = not (folder / name).exists()
        key = load_or_make(folder, name)
        if is_new:
            stamp(folder, name)
        return key

    promote = identity.Identity._promote

    def promoted(self: identity.Identity) -> None:
        promote(self)
        stamp(self._folder, KEY)

    identity._load_or_make = stamped
    identity.Identity._promote = promoted  # type: ignore[method-assign]
    agentkeys.new_key = lambda: key_of(random.randrange(1 << 30))


def stamp(folder: Path, *names: str) -> None:
    """Date an agent's keys by the virtual clock: an agent replaces one by its file's age."""
    for name in names or (KEY, NEXT_KEY):
        if (folder / name).exists():
            os.utime(folder / name, (time.time(), time.time()))


class Agent:
    """
    One agent with its state directory; a supervisor starts it again when it ends.

    Attributes:
        skew_s: By how much its clock is wrong, from its next start on.
        endings: What it ended with, other than being killed.
    """

    def __init__(self, target: Joined, folder: Path, mood: Mood | None = None) -> None:
        self.target = target
        self.folder = folder
        self.mood = mood or Mood()
        self.skew_s = 0.0
        self.endings: list[BaseException] = []
        self.life = Life()
        self._program: asyncio.Task[None] | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._bootstrap = ""
        self._dying: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Run from now on."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name=f"supervisor of {self.target.host}")

    def crash(self) -> None:
        """Kill it; the supervisor starts it again."""
        self.life.alive = False
        self.life.died.set()

    def die_at(self, requests: int, *, after_answer: bool) -> None:
        """Have it die at so many requests from now, before one is sent or after it was answered."""
        self.life.dies_at_request = self.life.requests + requests
        self.life.dies_after_answer = after_answer

    async def stop(self) -> None:
        """Kill it for good."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
        self._kill()
        await asyncio.sleep(0)

    async def lose_state(self, number: int) -> None:
        """Forget key and tokens; an administrator lets it in again."""
        for file in self.folder.iterdir():
            file.unlink()
        write_key(self.folder, number)
        self.crash()
        await self._let_in()

    async def _let_in(self) -> None:
        """Give it a bootstrap token, as an administrator does who runs ``cluster join`` until it works."""
        path = f"/services/syncer/{self.target.cluster}/{self.target.host}/{self.target.uid}/bootstrap"
        async with to(PLANE, ADMIN) as admin:
            while True:
                try:
                    self._bootstrap = str((await admin.request("POST", path, body=b"{}")).json()["token"])
                except (ApiError, Unreachable):
                    await asyncio.sleep(_RESTART_S)
                else:
                    return

    def _kill(self) -> None:
        self.life.alive = False
        if self._program is not None and not self._program.done():
            self._program.cancel()
            self._dying.append(self._program)
        self._dying = [task for task in self._dying if not task.done()]

    async def _supervise(self) -> None:
        while True:
            self.life = Life()
            context = copy_context()
            context.run(PART.set, self.target.part)
            context.run(LIFE.set, self.life)
            context.run(SKEW_S.set, self.skew_s)
            self._program = asyncio.get_running_loop().create_task(
                syncer.run(self._settings()), name=f"agent {self.target.host}", context=context
            )
            died = asyncio.create_task(self.life.died.wait(), name="died")
            await asyncio.wait([self._program, died], return_when=asyncio.FIRST_COMPLETED)
            died.cancel()
            if self._program.done() and not self._program.cancelled():
                error = self._program.exception()
                is_tried_again = isinstance(error, Unreachable | ApiError) and self._bootstrap  # it could not enroll
                if error is not None and not is_tried_again:
                    self.endings.append(error)
                if isinstance(error, TargetGone):
                    return
                if isinstance(error, NotLetIn) and self._bootstrap:  # cut off for longer than the token was good
                    await self._let_in()
            self._kill()
            await asyncio.sleep(_RESTART_S)

    def _settings(self) -> syncer.AgentSettings:
        if (self.folder / "token").exists():
            self._bootstrap = ""  # until then every start is given it, as by a Deployment's Secret
        return syncer.AgentSettings(
            upstream=Credentials(f"https://{PLANE}:6443"),
            cluster=Credentials(f"https://{self.target.host}:6443", token=ADMIN),
            sync_target_cluster=self.target.cluster,
            sync_target_name=self.target.host,
            sync_target_uid=self.target.uid,
            state_directory=self.folder,
            bootstrap_token=self._bootstrap,
            deletion_share=0.25,
            deletion_floor=4,
            deletion_window_s=120.0,
            resync_s=self.mood.resync_s,
            key_lifetime_s=self.mood.key_lifetime_s,
        )


def write_key(folder: Path, number: int) -> None:
    """Give an agent a key that is the same in every run."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    pem = key_of(number).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / KEY).write_bytes(pem)
    stamp(folder)


def start_scheduler() -> asyncio.Task[None]:
    """Run the scheduler."""
    credentials = Credentials(f"https://{PLANE}:6443", token=SCHEDULER)
    return _spawn("scheduler", lambda: scheduler.run(credentials, 120.0))


def start_controller(host: str) -> asyncio.Task[None]:
    """Play Deployments in a cluster: some time after a change all replicas are ready."""
    return _spawn(f"system:{host}", lambda: _Deployments(host).run())


def _spawn(part: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    context = copy_context()
    context.run(PART.set, part)
    context.run(LIFE.set, None)
    return asyncio.get_running_loop().create_task(work(), name=part, context=context)


class _Deployments:
    def __init__(self, host: str) -> None:
        self._client = to(host, ADMIN)
        self._due: asyncio.Queue[tuple[float, str, str]] = asyncio.Queue()

    async def run(self) -> None:
        """Play until cancelled."""
        reflector = Reflector(self._client, DEPLOYMENTS, self._heard)
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run(), name="deployments")
            group.create_task(self._play(), name="play")

    def _heard(self, delta: Delta) -> None:
        obj = delta.object
        if obj is None or delta.kind == "deleted":
            return
        status, metadata = obj.get("status") or {}, obj["metadata"]
        if status.get("observedGeneration") != metadata["generation"] or status.get("replicas", 0) != _replicas(obj):
            due_s = asyncio.get_running_loop().time() + _READY_S
            self._due.put_nowait((due_s, metadata["namespace"], metadata["name"]))

    async def _play(self) -> None:
        while True:
            due_s, namespace, name = await self._due.get()
            await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
            try:
                obj = await self._client.get(DEPLOYMENTS, name, namespace=namespace)
                body = {"metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]}, "status": _status(obj)}
                await self._client.patch(
                    DEPLOYMENTS, name, body, type_=MERGE_PATCH, namespace=namespace, subresource="status"
                )
            except Unreachable:
                self._due.put_nowait((due_s + 10, namespace, name))
            except ApiError as error:
                if error.code in {409, 503}:
                    self._due.put_nowait((due_s + 1, namespace, name))


def _replicas(obj: JsonObject) -> int:
    return int(obj["spec"].get("replicas", 1))


def _status(obj: JsonObject) -> JsonObject:
    count = _replicas(obj)
    names = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
    return {"observedGeneration": obj["metadata"]["generation"], **dict.fromkeys(names, count)}
