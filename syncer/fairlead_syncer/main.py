"""The agent as a program: parts, their order, and how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from fairlead_api.errors import ApiError
from fairlead_machinery.client import Client
from fairlead_machinery.component import Program, TaskEnded
from fairlead_machinery.congestion import Congestion
from fairlead_machinery.controller import Controller
from fairlead_machinery.kubeconfig import Credentials
from fairlead_machinery.queue import WorkQueue
from fairlead_machinery.transport import Unreachable
from fairlead_syncer import trust
from fairlead_syncer.brake import Brake
from fairlead_syncer.clock import ServerClock
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.down import Down
from fairlead_syncer.feeds import RESYNC_S, Feeds
from fairlead_syncer.health import Health, once
from fairlead_syncer.heartbeat import Heartbeat
from fairlead_syncer.hosts import Hosts
from fairlead_syncer.identity import Identity, NotLetIn, TargetGone
from fairlead_syncer.lanes import lanes, stamps, traits
from fairlead_syncer.leadership import FencedClient, Instance, Leadership
from fairlead_syncer.namespaces import Namespaces
from fairlead_syncer.pods import PodKey, Pods
from fairlead_syncer.renewal import ClusterToken
from fairlead_syncer.rights import Rights
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_syncer.tokens import Tokens
from fairlead_syncer.trust import Reload
from fairlead_syncer.upstream import Upstream
from fairlead_transforms.policy import TenantPolicy

_WORKERS, _SPARE = 8, 16
_RENEW_CHECK_S = 30.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """
    Everything an agent is told.

    Attributes:
        upstream: How to reach the control plane; its server URL is also what pods are told. Carries no credential.
        cluster: How to reach the cluster, as the agent's own user there.
        sync_target_cluster, sync_target_name, sync_target_uid: Which SyncTarget this is.
        state_directory: Where key and token are kept; must outlive a restart.
        bootstrap_token: Given once, at the first start; "" afterwards.
        reload_bootstrap: Read that again from where it came, for an agent that is shut out; None for never.
        pod_security: Level downstream namespaces enforce until the SyncTarget names one.
        api_url: URL pods reach the workspace's API by, when it is not the agent's own; "" for that.
        deletion_share: Part of this target's objects, 0 to 1, that may be deleted within the window before deletions
            are held for approval; 1 switches that off (see :mod:`fairlead_syncer.brake`).
        deletion_floor: Number of objects that may always be deleted within the window.
        deletion_window_s: Length of the sliding window in seconds.
        given: Folder of a Secret that holds the agent's key; None when the key is the agent's own.
        key_lifetime_s: After how many seconds an agent replaces its own key; 0 for never.
        resync_s: About how often both sides are listed again in full, for what a watch may have missed.
        reload_upstream, reload_cluster: Read the credentials again from where they came; None for never.
        wide: Watch each kind once in the whole cluster, which takes rights to; else in each namespace of ours.
        health: Host and port of ``/livez`` and ``/readyz``; None for none.
    """

    upstream: Credentials
    cluster: Credentials
    sync_target_cluster: str
    sync_target_name: str
    sync_target_uid: str
    state_directory: Path
    bootstrap_token: str = ""
    pod_security: str = "baseline"
    api_url: str = ""
    deletion_share: float = 0.3
    deletion_floor: int = 20
    deletion_window_s: float = 600.0
    given: Path | None = None
    key_lifetime_s: float = 0.0
    resync_s: float = RESYNC_S
    reload_upstream: Reload | None = None
    reload_cluster: Reload | None = None
    reload_bootstrap: Callable[[], str] | None = None
    wide: bool = False
    health: tuple[str, int] | None = None


async def run(settings: AgentSettings) -> None:
    """
    Run an agent until it is told to stop.

    Raises:
        NotLetIn: The control plane refused the first start for good.
        TargetGone: The SyncTarget is no more.
        TaskEnded: A part ended that must not.
    """
    name = (settings.sync_target_cluster, settings.sync_target_name, settings.sync_target_uid)
    place = "/services/syncer/" + "/".join(name)
    base = replace(settings.upstream, server=_base(settings.upstream.server))
    async with Program() as program:
        health = await _healthy(program, settings.health)
        door = await program.enter(Client(replace(base, token="", token_file=""), user_agent="fairlead-syncer"))
        door.waits = False
        clock = ServerClock(door, "control plane", time.time)
        folder = settings.state_directory
        identity = await asyncio.to_thread(Identity, folder, door, place, clock, settings.given)
        identity.key_lifetime_s = settings.key_lifetime_s
        identity.bootstrap, identity.invitation = settings.bootstrap_token, settings.reload_bootstrap or str
        program.spawn("token", identity.run())
        program.spawn("upstream trust", trust.follow("control plane", door, settings.reload_upstream))
        if not await _has_token(program, identity):
            return
        speaking = replace(base, token="", token_file=str(identity.token_file))
        above = await program.enter(Client(speaking, user_agent="fairlead-syncer"))
        own = await asyncio.to_thread(ClusterToken, settings.cluster, folder, time.time, settings.reload_cluster)
        # There is a watch a kind and namespace, and each is a connection where the cluster speaks no HTTP/2; what else
        # is asked is bounded by workers.
        below = FencedClient(own.credentials, user_agent="fairlead-syncer", connections=0, has_many_watches=True)
        await program.enter(below)
        unfenced = await program.enter(Client(own.credentials, user_agent="fairlead-syncer"))
        for client in (above, below, unfenced):
            client.waits = False  # whoever asks comes back by itself, with what is true by then
        program.spawn("cluster token", own.run(unfenced))
        program.spawn("trust", trust.follow("control plane", above, settings.reload_upstream))
        for client in (below, unfenced):
            program.spawn("cluster trust", trust.follow("cluster", client, settings.reload_cluster))
        host, port = _address(settings.api_url or base.server)
        target = SyncTarget(*name, host, port, identity.secret())
        instance = await asyncio.to_thread(Instance, folder)
        try:
            leadership = Leadership(above, place, instance, time.monotonic, identity.renew_now)
            below.may_write = leadership.holds
            health.ready |= {"control plane": leadership.is_told, "cluster": once(lambda: _answers(unfenced))}
            agent = Agent(target, identity, leadership, clock, above, below, settings)
            program.spawn("agent", leadership.run(agent.work))
            _log.info("started", sync_target=settings.sync_target_name, key=target.key)
            await _until_told(program)
        finally:
            instance.close()


async def _healthy(program: Program, address: tuple[str, int] | None) -> Health:
    """Answer a kubelet, if there is one, from the start to the end."""
    health = Health()
    if address is not None:
        await program.enter(health.listening(address))
    return health


async def _answers(cluster: Client) -> bool:
    """Tell whether the cluster takes us for who we are."""
    with suppress(ApiError, Unreachable):
        await cluster.request("GET", "/api/v1/namespaces", {"limit": "1"})
        return True
    return False


async def _until_told(program: Program) -> None:
    """Run; when there is nothing left to run for, say so and nothing else."""
    try:
        await program.run()
    except TaskEnded as error:
        if isinstance(error.__cause__, TargetGone | NotLetIn):
            raise error.__cause__ from None
        raise


async def _has_token(program: Program, identity: Identity) -> bool:
    """Have a token before anything else starts, however long that takes; False when told to stop meanwhile."""
    ready = asyncio.create_task(identity.ready.wait(), name="first token")
    told = asyncio.create_task(_until_told(program), name="told to stop")
    try:
        await asyncio.wait({ready, told}, return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            await told
        return identity.ready.is_set()
    finally:
        ready.cancel()
        told.cancel()
        await asyncio.wait({ready, told})


@dataclass(frozen=True, slots=True)
class Agent:
    """What lives on from one turn at work to the next."""

    target: SyncTarget
    identity: Identity
    leadership: Leadership
    clock: ServerClock
    above: Client
    below: Client
    settings: AgentSettings

    async def work(self) -> None:
        """
        Do the work until cancelled; whatever was known of both sides before is learnt anew.

        Raises:
            ExceptionGroup: A part ended that must not.
        """
        settings, below = self.settings, self.below
        state = State(self.target, policy=TenantPolicy(pod_security=settings.pod_security))
        upstream = Upstream(self.above, self.target, self.leadership.headers)
        congestion = Congestion(traits, workers=_WORKERS, spare=_SPARE)
        queue: WorkQueue[Key] = WorkQueue(tenant=lanes(state), stamp=stamps(state), congestion=congestion)
        pod_queue: WorkQueue[PodKey] = WorkQueue()
        pods = Pods(state, upstream, pod_queue.add_after)
        tokens = Tokens(state, upstream, below, self.clock.now_s)
        brake = Brake(settings.deletion_share, settings.deletion_floor, settings.deletion_window_s)
        deletions = Deletions(state, brake, time.monotonic, queue.add)
        rights = Rights(below, self.target)
        narrow = None if settings.wide else rights
        feeds = Feeds(state, upstream.views, below, pods, queue.add, rights=narrow, resync_s=settings.resync_s)
        namespaces = Namespaces(
            state,
            below,
            upstream,
            tokens,
            deletions,
            listable=lambda: heartbeat.listable(),  # noqa: PLW0108 - made below: each needs the other
            enqueue=queue.add,
            rights=rights,
            enter=feeds.enter,
        )
        refused = self.identity.renew_now
        heartbeat = Heartbeat(
            upstream, below, feeds, deletions, refused=refused, enforce=namespaces.enforce, rights=rights
        )
        heartbeat.wish = self.identity.follow_wish
        down = Down(state, upstream, below, namespaces, tokens, deletions)
        down.hosts = hosts = Hosts(state, below, queue.add)
        held = self.leadership.while_held
        parts = {
            "objects": Controller("objects", held(down.reconcile), queue=queue, workers=_WORKERS).run(),
            "pods": Controller("pods", held(pods.reconcile), queue=pod_queue, workers=_WORKERS).run(),
            "feeds": feeds.run(),
            "hosts": hosts.run(),
            "tokens": _renew(tokens),
            "heartbeat": heartbeat.run(),
        }
        # What is below is known first, the heartbeat speaks last.
        async with asyncio.TaskGroup() as group:
            for name, part in parts.items():
                group.create_task(_endless(name, part), name=name)


async def _endless(name: str, part: Coroutine[Any, Any, None]) -> None:
    """
    Run a part; that it ends by itself is an error.

    Raises:
        TaskEnded: It did, also by a cancellation that nobody outside asked for, which a task group passes over.
    """
    try:
        await part
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise TaskEnded(f"{name} was cancelled from inside") from error
    raise TaskEnded(f"{name} ended")


async def _renew(tokens: Tokens) -> None:
    while True:
        await asyncio.sleep(_RENEW_CHECK_S)
        await tokens.renew_due()


def _base(server: str) -> str:
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.netloc}"


def _address(server: str) -> tuple[str, str]:
    parts = urlsplit(server)
    return parts.hostname or "", str(parts.port or (443 if parts.scheme == "https" else 80))
