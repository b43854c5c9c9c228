"""One day: from a seed to its history and what is wrong with it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from fairlead_api import JsonObject
from fairlead_api.names import ROOT
from fairlead_machinery.transport import Transport
from tests.simulation import clock, parts, servers
from tests.simulation.faults import Breakage
from tests.simulation.network import PART, Network
from tests.simulation.parts import PLANE, SYNC_TARGETS, Agent, Joined, to
from tests.simulation.script import DEEDS, WORKSPACES, Deed, Length, script
from tests.simulation.servers import ADMIN, Server
from tests.simulation.telling import history_of
from tests.simulation.users import Users, make_workspace
from tests.simulation.world import Base, World
from tests.support.checking.checker import Violation, check
from tests.support.checking.history import Record, Written, encode
from tests.support.checking.wanted import Limits

HOSTS = ("east", "west")
_READY_S = 120.0
_APPROVE_S = 30.0
_BACKUP_S = 200.0
_SYNC_TARGET: JsonObject = {
    "apiVersion": "workload.kcp.io/v1alpha1",
    "kind": "SyncTarget",
    "spec": {"supportedAPIExports": [{"path": f"{ROOT}:compute", "export": "kubernetes"}]},
}
LIMITS = Limits(
    delete_lag_s=30.0,
    asks=True,
    gc_s=450.0,
    quiet_after_s=150.0,
    counted={"requests_per_minute": 3000, "connects_per_minute": 600},
    restless=frozenset({"synctargets.workload.kcp.io", "leases.coordination.k8s.io", "events"}),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed; ``digest`` names its history."""

    seed: int
    records: list[Record]
    violations: list[Violation]
    digest: str


def install() -> None:
    """Put the simulated network and servers in place, for the life of this process."""
    servers.install()
    parts.install()

    async def opened(transport: Transport) -> object:
        del transport
        return _network[-1].session()

    Transport._open = opened  # type: ignore[method-assign,assignment]


_network: list[Network] = []
_base: list[Base] = []


def base() -> Base:
    """Return what all days begin with; made once in a process, always the same."""
    if not _base:
        with clock.seeded(-1), tempfile.TemporaryDirectory() as folder:
            _base.append(clock.run(lambda: _make_base(Path(folder))))
    return _base[0]


def simulate(seed: int, length: Length | None = None) -> Outcome:
    """Simulate the day of a seed and judge it."""
    begun = base()
    with clock.seeded(seed), tempfile.TemporaryDirectory() as folder:
        world = World(seed, Path(folder), begun)
        _network.append(world.network)
        clock.run(lambda: _live(world, length or Length()), begun.at_s)
        _network.pop()
    records = history_of(world)
    more = [Violation("end", f"the agent of {host} ended: {text}") for host, text in world.endings()]
    if not any(isinstance(one, Written) and one.actor.startswith("agent:") and one.where for one in records):
        more.append(Violation("end", "no agent did anything: the day says nothing"))
    return Outcome(seed, records, [*check(records, LIMITS), *more], sha256(encode(records)).hexdigest()[:16])


async def _live(world: World, length: Length) -> None:
    await world.begin()
    PART.set("user")
    users, breakage = Users(world), Breakage(world)
    people = {what for what, _ in DEEDS}
    start_s = world.now_s
    under_way: list[asyncio.Task[None]] = [
        asyncio.create_task(_every(_APPROVE_S, users.approve), name="approver"),
        asyncio.create_task(_every(60.0, partial(_at_once, world.count)), name="counter"),
        asyncio.create_task(_every(_BACKUP_S, partial(_at_once, breakage.remember)), name="backups"),
    ]
    lasting = len(under_way)
    for deed in script(world.seed, tuple(world.targets), length):
        await asyncio.sleep(max(0.0, start_s + deed.at_s - world.now_s))
        under_way.append(asyncio.create_task(_do(users if deed.what in people else breakage, deed), name=deed.what))
    await asyncio.wait(under_way[lasting:])
    await _mend(world, users, length)
    under_way[0].cancel()
    under_way[2].cancel()
    world.settle()
    await asyncio.sleep(length.quiet_s)
    under_way[1].cancel()
    await world.end()
    for task in under_way[lasting:]:
        task.result()


async def _do(who: Users | Breakage, deed: Deed) -> None:
    await who.do(deed)


async def _mend(world: World, users: Users, length: Length) -> None:
    """Let everything work, and wait."""
    world.clear()
    for server in world.servers.values():
        if not server.is_up:
            await server.start()
    await users.remove_foreign()
    for host in world.targets:
        await users.do(Deed(0, "uncordon", host, "", "", "", "", 0, 0))
    await asyncio.sleep(length.mend_s)


async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await act()


async def _at_once(act: Callable[[], None]) -> None:
    act()


async def _make_base(folder: Path) -> Base:
    """Make a control plane with two joined clusters and two workspaces, run it until all is ready, and stop it."""
    network = Network(0)
    _network.append(network)
    PART.set("user")
    hosts = {PLANE: Server(network, PLANE, "workspaces", None, None)}
    hosts |= {host: Server(network, host, "cluster", None, None) for host in HOSTS}
    for server in hosts.values():
        await server.start()
    PART.set("user")
    targets, agents = [], []
    scheduler = parts.start_scheduler()
    async with to(PLANE, ADMIN) as admin:
        for number, host in enumerate(HOSTS, 1):
            made = await admin.at(ROOT).create(SYNC_TARGETS, {**_SYNC_TARGET, "metadata": {"name": host}})
            cluster = made["metadata"]["annotations"]["kcp.io/cluster"]
            target = Joined(host, made["metadata"]["uid"], cluster)
            targets.append(target)
            parts.write_key(folder / host, number)
            agent = Agent(target, folder / host)
            await agent.lose_state(number)
            agent.start()
            agents.append(agent)
        for name in WORKSPACES:
            await make_workspace(admin, ROOT, name)
    await asyncio.sleep(_READY_S)
    async with to(PLANE, ADMIN) as admin:
        for found in (await admin.at(ROOT).list(SYNC_TARGETS))[0]:
            conditions = {one["type"]: one["status"] for one in found["status"].get("conditions") or ()}
            if conditions.get("Ready") != "True":
                raise RuntimeError(f"the agent of {found['metadata']['name']} did not join: {conditions}")
    files = {host: {file.name: file.read_bytes() for file in (folder / host).iterdir()} for host in HOSTS}
    for agent in agents:
        await agent.stop()
    scheduler.cancel()
    contents = {host: server.crash() for host, server in hosts.items()}
    await asyncio.sleep(60)
    _network.pop()
    return Base(contents, files, tuple(targets), asyncio.get_running_loop().time())
