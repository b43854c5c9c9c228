"""The agent as a program: parts, their order, and how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from fairlead_api.errors import ApiError
from fairlead_machinery.client import Client
from fairlead_machinery.component import Program, TaskEnded
from fairlead_machinery.controller import Controller
from fairlead_machinery.kubeconfig import Credentials
from fairlead_machinery.queue import WorkQueue
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.brake import Brake
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.down import Down
from fairlead_syncer.feeds import Feeds
from fairlead_syncer.heartbeat import Heartbeat
from fairlead_syncer.identity import Identity, TargetGone
from fairlead_syncer.namespaces import Namespaces
from fairlead_syncer.pods import PodKey, Pods
from fairlead_syncer.renewal import ClusterToken
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_syncer.tokens import Tokens
from fairlead_syncer.upstream import Upstream

_WORKERS = 8
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
        pod_security: Level downstream namespaces enforce.
        api_url: URL pods reach the workspace's API by, when it is not the agent's own; "" for that.
        deletion_share: Part of this target's objects, 0 to 1, that may be deleted within the window before deletions
            are held for approval; 1 switches that off (see :mod:`fairlead_syncer.brake`).
        deletion_floor: Number of objects that may always be deleted within the window.
        deletion_window_s: Length of the sliding window in seconds.
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


async def run(settings: AgentSettings) -> None:
    """
    Run an agent until it is told to stop.

    Raises:
        ApiError: Enrolling was refused.
        Unreachable: The control plane did not answer while enrolling.
        TaskEnded: A part ended that must not.
    """
    name = (settings.sync_target_cluster, settings.sync_target_name, settings.sync_target_uid)
    place = "/services/syncer/" + "/".join(name)
    base = replace(settings.upstream, server=_base(settings.upstream.server))
    async with Program() as program:
        door = await program.enter(Client(replace(base, token="", token_file=""), user_agent="fairlead-syncer"))
        identity = await asyncio.to_thread(Identity, settings.state_directory, door, place, time.time)
        if settings.bootstrap_token:
            await _enroll(identity, settings.bootstrap_token)
        program.spawn("token", identity.run())
        if not await _has_token(program, identity):
            return
        speaking = replace(base, token="", token_file=str(identity.token_file))
        above = await program.enter(Client(speaking, user_agent="fairlead-syncer"))
        own = await asyncio.to_thread(ClusterToken, settings.cluster, settings.state_directory, time.time)
        below = await program.enter(Client(own.credentials, user_agent="fairlead-syncer"))
        program.spawn("cluster token", own.run(below))
        host, port = _address(settings.api_url or base.server)
        target = SyncTarget(*name, host, port, identity.secret())
        _compose(program, target, identity, above, below, settings)
        _log.info("syncing", sync_target=settings.sync_target_name, key=target.key)
        await _until_told(program)


async def _enroll(identity: Identity, bootstrap: str) -> None:
    """Enroll; an agent that had a token before is enrolled, so what is wrong now is no reason to end."""
    try:
        await identity.enroll(bootstrap)
    except (ApiError, Unreachable) as error:
        if not identity.token_file.exists():
            raise
        _log.warning("the bootstrap token was not taken; going on with the key there is", error=str(error))


async def _until_told(program: Program) -> None:
    """Run; when the SyncTarget is no more, say so and nothing else."""
    try:
        await program.run()
    except TaskEnded as error:
        if isinstance(error.__cause__, TargetGone):
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


def _compose(
    program: Program, target: SyncTarget, identity: Identity, above: Client, below: Client, settings: AgentSettings
) -> None:
    """Build the parts and start them: what is below is known first, the heartbeat speaks last."""
    state = State(target)
    upstream = Upstream(above, target)
    queue: WorkQueue[Key] = WorkQueue(tenant=_tenant)
    pod_queue: WorkQueue[PodKey] = WorkQueue()
    pods = Pods(state, upstream, pod_queue.add_after)
    tokens = Tokens(state, upstream, below, time.time)
    brake = Brake(settings.deletion_share, settings.deletion_floor, settings.deletion_window_s)
    deletions = Deletions(state, brake, time.monotonic, queue.add)
    feeds = Feeds(state, upstream.views, below, pods, queue.add)
    namespaces = Namespaces(
        state,
        below,
        upstream,
        tokens,
        deletions,
        listable=lambda: heartbeat.listable(),  # noqa: PLW0108 - made below: each needs the other
        enqueue=queue.add,
        pod_security=settings.pod_security,
    )
    heartbeat = Heartbeat(upstream, below, feeds, deletions, refused=identity.renew_now, enforce=namespaces.enforce)
    down = Down(state, upstream, below, namespaces, tokens, deletions)
    program.spawn("objects", Controller("objects", down.reconcile, queue=queue, workers=_WORKERS).run())
    program.spawn("pods", Controller("pods", pods.reconcile, queue=pod_queue, workers=_WORKERS).run())
    program.spawn("feeds", feeds.run())
    program.spawn("tokens", _renew(tokens))
    program.spawn("heartbeat", heartbeat.run())


async def _renew(tokens: Tokens) -> None:
    while True:
        await asyncio.sleep(_RENEW_CHECK_S)
        await tokens.renew_due()


def _tenant(key: Key) -> Hashable:
    return key.cluster


def _base(server: str) -> str:
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.netloc}"


def _address(server: str) -> tuple[str, str]:
    parts = urlsplit(server)
    return parts.hostname or "", str(parts.port or (443 if parts.scheme == "https" else 80))
