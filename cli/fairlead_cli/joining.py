"""
``kubectl fairlead cluster join``: from a context to a cluster that takes work, in one command.

The order keeps failures harmless: the cluster is looked at before anything is made, and what this command made is taken
back when a later step fails. The heartbeat is waited for, not the pod.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_cli import chart_values, downstream, manifests, registering
from fairlead_cli.failure import TIMED_OUT, Failure, explain
from fairlead_cli.manifests import Agent
from fairlead_cli.options import Server
from fairlead_cli.output import Steps, document, list_object
from fairlead_cli.process import IN_CLUSTER, UPSTREAM, AgentFolder
from fairlead_cli.registering import Registration
from fairlead_cli.session import Session, connected, duration_s, until

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

_NO_UID = "00000000-0000-0000-0000-000000000000"
_LOOK_S = 0.25
_STOP_S = 30.0
_PROBE_BYTES = 64 * 1024
"""More than all that a join writes: a full disk is found out before anything is made."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to join, and how; see the command's help."""

    name: str
    labels: Mapping[str, str]
    as_process: bool
    print_only: bool
    dry_run: bool
    output: str
    image: str
    timeout_s: float
    state_directory: str
    wide: bool
    without_policy: bool
    allow_privileged: bool

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any]) -> Wanted:
        """
        Read the command's flags.

        Raises:
            Failure: A value is wrong.
        """
        return cls(
            name,
            registering.parse_labels(options["labels"]),
            options["as_process"],
            options["print_only"],
            options["dry_run"] == "client",
            options["output"],
            options["image"] or registering.default_image(),
            duration_s(options["timeout"]),
            options["state_directory"],
            options["wide"],
            options["without_policy"],
            options["allow_privileged"],
        )


async def join(wanted: Wanted, *, upstream: Server, physical: Server) -> None:
    """
    Join a cluster.

    Raises:
        Failure: Something is in the way; nothing half done is left.
    """
    async with connected(upstream) as session:
        if wanted.dry_run:
            await _print_dry(session, wanted)
            return
        async with downstream.reached(physical) as (cluster, known):
            await _join(session, cluster, known.context, wanted, physical)


async def _join(session: Session, cluster: Client, context: str, wanted: Wanted, physical: Server) -> None:
    steps = Steps()
    uid = await _look_at(cluster, context, wanted)
    folder = await _folder(session, wanted)
    registration = await _register(session, wanted, uid, steps)
    try:
        await _note_others(cluster, registration, steps)
        agent = await _prepare(session, wanted, registration)
        policy = agent.policy and await downstream.has_policies(cluster)
        agent = replace(agent, listed=await downstream.listed(cluster), policy=policy)
        if wanted.print_only:
            _print(agent, manifests.manifest(agent), wanted.output)
            return
        running = folder.pid(registration.uid)
        is_known = folder.has_key(registering.pinned_key(registration.target))
        agent = await _set_up(cluster, wanted, agent, folder, steps, is_known=is_known)
        _note(wanted, session, agent, folder, physical, context)
        await registering.note_agent(session.here, registration, folder.url if wanted.as_process else IN_CLUSTER)
    except (ApiError, Failure, OSError, _unreachable(), asyncio.CancelledError) as error:
        await _take_back(session, cluster, registration, folder, steps)
        if isinstance(error, asyncio.CancelledError):
            raise
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from error
        raise (explain(error) or error) from error
    is_heard = _listener(session, registration, is_new=wanted.as_process and folder.pid(agent.uid) != running)
    await _wait(is_heard, cluster, wanted, agent, folder, steps)
    click.echo(f"Cluster {wanted.name} is joined and takes work.")
    click.echo(f"Next: kubectl ws create NAME --compute --enter   (a workspace whose workloads run in {wanted.name})")


def _cannot_write(folder: AgentFolder, error: OSError) -> Failure:
    what = f"the state directory {folder.path} cannot be written"
    return Failure(what, error.strerror or str(error), "name another with --state-directory")


async def _folder(session: Session, wanted: Wanted) -> AgentFolder:
    """
    Return where this machine keeps what it knows of the agent, made and writable; nothing else is touched.

    Raises:
        Failure: The agent of another SyncTarget runs from there, or it cannot be written.
    """
    target = await registering.find(session.here, wanted.name)
    metadata = target["metadata"] if target else {}
    uid, where = str(metadata.get("uid", "")), (metadata.get("annotations") or {}).get(registering.AGENT, "")
    folder = AgentFolder.of(wanted.name, uid, where, wanted.state_directory)
    other = str(folder.record().get("uid", ""))
    if other and other != uid:
        if pid := folder.pid(other):
            raise Failure(
                f"{folder.path} is in use",
                f"the agent of another SyncTarget {folder.record().get('name', '')} runs from there (pid {pid})",
                "choose another --state-directory",
            )
        folder.forget()  # of a SyncTarget that is gone: its key would be refused
    if not wanted.print_only:
        try:
            folder.make()
            folder.write(".probe", "." * _PROBE_BYTES).unlink()
        except OSError as error:
            raise _cannot_write(folder, error) from error
    return folder


def _unreachable() -> type[Exception]:
    from fairlead_machinery.transport import Unreachable  # noqa: PLC0415 - only to talk

    return Unreachable


async def _look_at(cluster: Client, context: str, wanted: Wanted) -> str:
    """Return the uid of the physical cluster; refuse a workspace of Fairlead, and one that cannot hold the agent."""
    uid = await downstream.cluster_uid(cluster, context)
    if "/clusters/" in cluster.base:
        raise Failure(f'context "{context}" is a workspace, not a cluster', fix="name the cluster's: --context CONTEXT")
    if not (wanted.without_policy or await downstream.is_lab(cluster) or await downstream.has_policies(cluster)):
        raise Failure(
            "the cluster cannot hold the agent to its own namespaces",
            "it has no ValidatingAdmissionPolicy, which came with Kubernetes 1.30",
            "upgrade it, or do without: --without-policy",
        )
    return uid


async def _register(session: Session, wanted: Wanted, uid: str, steps: Steps) -> Registration:
    found = await registering.find(session.here, wanted.name)
    if found is not None:
        registering.check_same_cluster(found, uid)
    # One that was there before keeps what its owner made of it.
    spec = {"supportedAPIExports": [registering.DEFAULT_EXPORT]} if found is None else {}
    registration = await registering.register(session.here, wanted.name, wanted.labels, cluster_uid=uid, spec=spec)
    what = "created" if registration.created else "found, and brought up to date"
    steps.done(f"SyncTarget {wanted.name} {what} in {session.place.path}")
    return registration


async def _note_others(cluster: Client, registration: Registration, steps: Steps) -> None:
    """Name what an earlier SyncTarget of the name has left: it is another one's, and neither adopted nor removed."""
    try:
        others = await downstream.of_others(cluster, registration.name, registration.uid)
    except (ApiError, _unreachable()):
        return  # who may not list namespaces can join all the same
    if others:
        named = ", ".join(others)
        steps.note(
            f"left of earlier SyncTargets {registration.name}, delete when nobody needs them: namespaces {named}"
        )


async def _prepare(session: Session, wanted: Wanted, registration: Registration) -> Agent:
    """Return the agent to start, with a token for its first start."""
    server = session.place.front if wanted.as_process else registration.external_url or session.place.front
    if not wanted.as_process and registering.is_loopback(server):
        raise Failure(
            f"an agent in the cluster cannot reach {server}",
            "that address means the machine it is used on",
            "start Fairlead with --external-url https://HOST:PORT, or join with --as-process",
        )
    token = await registering.bootstrap_token(session, registration)
    agent = await registering.agent_of(session, registration, server, token)
    key = "" if wanted.as_process else registering.new_key()
    return _as_wanted(replace(agent, key=key), wanted)


def _as_wanted(agent: Agent, wanted: Wanted) -> Agent:
    policy, privileged = not wanted.without_policy, wanted.allow_privileged
    return replace(agent, image=wanted.image, wide=wanted.wide, policy=policy, privileged=privileged)


async def _set_up(
    cluster: Client, wanted: Wanted, agent: Agent, folder: AgentFolder, steps: Steps, *, is_known: bool
) -> Agent:
    """Make what the agent needs in the cluster, and start it; again, if the key of one that runs is not known."""
    if not wanted.as_process:
        # A cluster joined before keeps its key: the pods that run are the same agent.
        key = await downstream.known_key(cluster, agent.home, agent.id, manifests.IDENTITY_KEY) or agent.key
        agent = replace(agent, key=key)
        _say(await downstream.install(cluster, agent, manifests.manifest(agent)), steps)
        steps.done(f"rights and agent applied in namespace {agent.home}")
        return agent
    _say(await downstream.install(cluster, agent, manifests.rights(agent)), steps)
    steps.done(f"rights for the agent applied in namespace {agent.home}")
    token, expires = await downstream.token(cluster, agent.home, agent.id)
    folder.write(UPSTREAM, document(manifests.upstream_kubeconfig(agent), "json"))
    folder.write_cluster_kubeconfig(cluster.credentials, token)
    folder.note(tokenExpires=expires)
    arguments = [
        f"--from-cluster={agent.cluster}",
        f"--sync-target-name={agent.name}",
        *(["--wide"] if agent.wide else []),
    ]
    if folder.pid(agent.uid) and not (is_known and folder.record().get("arguments") == arguments):
        # One of before may not know how to live with the rights it has now; and only a new one has the token by which
        # a control plane that was restored takes its key.
        folder.stop(agent.uid)
        await until(lambda: _ended(folder, agent.uid), _STOP_S)
        folder.kill(agent.uid)
    folder.note(arguments=arguments)
    if folder.pid(agent.uid):
        steps.done(f"agent runs already (pid {folder.pid(agent.uid)}); its rights and token are renewed")
        return agent
    pid = folder.start(agent.uid, arguments, agent.bootstrap_token)
    steps.done(f"agent started as process {pid}, state and log in {folder.path}")
    return agent


def _say(held: bool, steps: Steps) -> None:
    if not held:
        steps.note("whether the admission policy is in force already could not be seen: you may not impersonate")


async def _ended(folder: AgentFolder, uid: str) -> bool | None:
    return None if folder.pid(uid) else True


async def _take_back(
    session: Session, cluster: Client, registration: Registration, folder: AgentFolder, steps: Steps
) -> None:
    """Undo what this command made before it failed; a cluster that was joined before stays as it is."""
    from fairlead_api.names import syncer_id  # noqa: PLC0415 - only here

    if not registration.created:
        return
    agent_id = syncer_id(registration.name, registration.uid)
    folder.kill(registration.uid)
    folder.forget()
    try:
        await downstream.take_out(cluster, agent_id, agent_id)
    except (ApiError, Failure, _unreachable()) as error:
        steps.failed(f"what was made in the cluster could not be taken back: {error}")
    await registering.unregister(session.here, registration)
    steps.note("what was made has been taken back")


def _note(wanted: Wanted, session: Session, agent: Agent, folder: AgentFolder, server: Server, context: str) -> None:
    """Remember for list and remove which cluster this was and how it was reached."""
    files = server.kubeconfig or os.environ.get("KUBECONFIG", "")
    paths = os.pathsep.join(str(Path(one).absolute()) for one in files.split(os.pathsep) if one)
    folder.note(
        name=agent.name, uid=agent.uid, workspace=session.place.path, kubeconfig=paths, context=context,
        process=wanted.as_process,
    )  # fmt: skip


def _listener(session: Session, registration: Registration, *, is_new: bool) -> Callable[[], Awaitable[bool]]:
    """Return what tells whether the agent is heard of; a new one by news, as what was stored is of one before it."""
    before = registering.pulse(registration.target) if is_new else None

    async def is_heard() -> bool:
        target = await registering.find(session.here, registration.name)
        return target is not None and registering.is_ready(target) and registering.pulse(target) != before

    return is_heard


async def _wait(
    is_heard: Callable[[], Awaitable[bool]],
    cluster: Client,
    wanted: Wanted,
    agent: Agent,
    folder: AgentFolder,
    steps: Steps,
) -> None:
    """Wait for the heartbeat; say what is wrong with the agent meanwhile."""
    said = ""
    problem = ""

    async def heard() -> bool | None:
        nonlocal said, problem
        problem = await _trouble(cluster, wanted, agent, folder)
        if problem and wanted.as_process:
            return False  # nobody will start it again
        if await is_heard():
            return True
        if problem and problem != said:
            steps.failed(problem)
            said = problem
        return None

    steps.live("waiting for the agent's first heartbeat")
    try:
        heard_of = await until(heard, wanted.timeout_s, every_s=_LOOK_S)
    except asyncio.CancelledError:
        steps.note(f"{wanted.name} is joined, its agent is starting. See: kubectl fairlead cluster list")
        raise
    if heard_of:
        steps.done("the agent is heard of")
        return
    if heard_of is None:
        saw = problem or f"no heartbeat within {wanted.timeout_s:g} s"
        raise Failure("the agent is not heard of", saw, _where_to_look(wanted, agent, folder), code=TIMED_OUT)
    raise Failure("the agent did not start", problem, _where_to_look(wanted, agent, folder))


async def _trouble(cluster: Client, wanted: Wanted, agent: Agent, folder: AgentFolder) -> str:
    if wanted.as_process:
        return "" if folder.pid(agent.uid) else f"the process ended: {folder.last_words()}"
    try:
        return await downstream.pod_trouble(cluster, agent.home, agent.id)
    except (ApiError, _unreachable()) as error:
        return f"its pods cannot be looked at: {error}"


def _where_to_look(wanted: Wanted, agent: Agent, folder: AgentFolder) -> str:
    if wanted.as_process:
        return f"read {folder.path}/agent.log, then run join again"
    return f"kubectl -n {agent.home} describe pods; when it is mended the agent comes by itself"


async def _print_dry(session: Session, wanted: Wanted) -> None:
    """Print what would be made, and make nothing; a SyncTarget that is not there has no uid yet."""
    annotations = {"kcp.io/cluster": session.place.path}
    spec = {"supportedAPIExports": [registering.DEFAULT_EXPORT]}
    stand_in: JsonObject = {"metadata": {"name": wanted.name, "uid": _NO_UID, "annotations": annotations}, "spec": spec}
    target = await registering.find(session.here, wanted.name) or stand_in
    registration = Registration(target, created=False)
    server = registration.external_url or session.place.front
    agent = await registering.agent_of(session, registration, server, "")
    agent = _as_wanted(agent, wanted)
    objects = manifests.rights(agent) if wanted.as_process else manifests.manifest(agent)
    _print(agent, objects, wanted.output)


def _print(agent: Agent, objects: list[JsonObject], output: str) -> None:
    if output == "helm":
        click.echo(chart_values.as_text(agent), nl=False)
    elif output == "json":
        click.echo(document(list_object(objects), "json"))
    else:
        click.echo(manifests.as_text(objects), nl=False)
