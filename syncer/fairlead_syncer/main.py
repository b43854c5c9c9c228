"""The agent as a program: parts, their order, and how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from fairlead_machinery.client import Client
from fairlead_machinery.component import Program
from fairlead_machinery.controller import Controller
from fairlead_machinery.kubeconfig import Credentials
from fairlead_machinery.queue import WorkQueue
from fairlead_syncer.down import Down
from fairlead_syncer.feeds import Feeds
from fairlead_syncer.heartbeat import Heartbeat
from fairlead_syncer.identity import Identity
from fairlead_syncer.namespaces import Namespaces
from fairlead_syncer.pods import PodKey, Pods
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
            await identity.enroll(settings.bootstrap_token)
        await _first_token(identity)
        program.spawn("token", identity.run())
        speaking = replace(base, token="", token_file=str(identity.token_file))
        above = await program.enter(Client(speaking, user_agent="fairlead-syncer"))
        below = await program.enter(Client(settings.cluster, user_agent="fairlead-syncer"))
        host, port = _address(settings.api_url or base.server)
        target = SyncTarget(*name, host, port, identity.secret())
        await _compose(program, target, above, below, settings.pod_security)
        _log.info("syncing", sync_target=settings.sync_target_name, key=target.key)
        await program.run()


async def _first_token(identity: Identity) -> None:
    """Have a token before anything else starts; an enrolled agent waits for the control plane as long as it takes."""
    renewing = asyncio.create_task(identity.run(), name="first token")
    try:
        while not identity.token_file.exists():  # noqa: ASYNC110 - a file is what the client reads
            await asyncio.sleep(0.05)
    finally:
        renewing.cancel()


async def _compose(program: Program, target: SyncTarget, above: Client, below: Client, pod_security: str) -> None:
    """Build the parts and start them: what is below is known first, the heartbeat speaks last."""
    state = State(target)
    upstream = Upstream(above, target)
    queue: WorkQueue[Key] = WorkQueue(tenant=_tenant)
    pod_queue: WorkQueue[PodKey] = WorkQueue()
    pods = Pods(state, upstream, pod_queue.add_after)
    tokens = Tokens(state, upstream, below, time.time)
    listable: list[Heartbeat] = []
    namespaces = Namespaces(state, below, upstream.confirm, lambda: listable[0].listable, queue.add, pod_security)
    down = Down(state, upstream, below, namespaces, tokens)
    feeds = Feeds(state, upstream.views, below, pods, queue.add)
    heartbeat = Heartbeat(upstream, below, feeds)
    listable.append(heartbeat)
    program.spawn("objects", Controller("objects", down.reconcile, queue=queue, workers=_WORKERS).run())
    program.spawn("pods", Controller("pods", pods.reconcile, queue=pod_queue, workers=_WORKERS).run())
    program.spawn("feeds", _feed(feeds))
    program.spawn("tokens", _renew(tokens))
    program.spawn("heartbeat", heartbeat.run())


async def _feed(feeds: Feeds) -> None:
    try:
        await feeds.start()
        await asyncio.Event().wait()
    finally:
        await feeds.stop()


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
