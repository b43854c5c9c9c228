"""One day: from a seed to its history and what is wrong with it."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from fairlead_api import JsonObject
from fairlead_api.names import ROOT
from fairlead_machinery.transport import Transport
from tests.simulation import clock, pace, parts, servers
from tests.simulation.faults import Breakage
from tests.simulation.mood import Mood
from tests.simulation.network import PART, Network
from tests.simulation.parts import PLANE, SYNC_TARGETS, Agent, Joined, to
from tests.simulation.script import LONG_S, MORE_DEEDS, SHORT, WORKSPACES, Deed, Length, bursts_of, busy, script
from tests.simulation.servers import ADMIN, Server
from tests.simulation.telling import history_of
from tests.simulation.users import Users, make_workspace
from tests.simulation.world import Base, World
from tests.support.checking.checker import Violation, judge
from tests.support.checking.history import Record, Written, encode
from tests.support.checking.wanted import Limits

HOSTS = ("east", "west")
_READY_S = 120.0
_APPROVE_S = 30.0
_BACKUP_S = 200.0
_LATEST_S = 14400.0
"""Nothing that was begun goes on for longer than this after its day."""
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
LONG_LIMITS = replace(LIMITS, gc_s=1300.0, quiet_after_s=300.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of a seed.

    Attributes:
        digest: Names its history.
        tally: How often each thing was done, broken and judged: ``put``, ``cut``, ``cut for hours``, ``I9 ...``.
    """

    seed: int
    records: list[Record]
    violations: list[Violation]
    digest: str
    tally: Counter[str]


def install() -> None:
    """Put the simulated network and servers in place, for the life of this process."""
    servers.install()
    parts.install()
    pace.install()

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


def simulate(
    seed: int, length: Length = SHORT, *, evenly: bool = False, deeds: Sequence[Deed] | None = None
) -> Outcome:
    """
    Simulate the day of a seed and judge it.

    Args:
        evenly: Keep the real pace all day, see :mod:`tests.simulation.pace`.
        deeds: What happens, in place of what the seed decides.
    """
    begun = base()
    with clock.seeded(seed), tempfile.TemporaryDirectory() as folder:
        world = World(seed, Path(folder), begun, Mood.of(seed) if length.bursts else Mood(resync_s=length.resync_s))
        happening = list(script(seed, HOSTS, length) if deeds is None else deeds)
        _network.append(world.network)
        try:
            clock.run(lambda: _live(world, happening, length, evenly=evenly), begun.at_s)
        finally:
            pace.real()
            _network.pop()
    records = history_of(world)
    more = [Violation("end", f"the agent of {host} ended: {text}") for host, text in world.endings()]
    if not any(isinstance(one, Written) and one.actor.startswith("agent:") and one.where for one in records):
        more.append(Violation("end", "no agent did anything: the day says nothing"))
    verdict = judge(records, LONG_LIMITS if length.bursts else LIMITS)
    world.done.update(verdict.judged)
    digest = sha256(encode(records)).hexdigest()[:16]
    return Outcome(seed, records, [*verdict.violations, *more], digest, world.done)


async def _live(world: World, deeds: Sequence[Deed], length: Length, *, evenly: bool) -> None:
    await world.begin()
    PART.set("user")
    users, breakage = Users(world), Breakage(world)
    people = {what for what, _ in MORE_DEEDS}
    start_s = world.now_s
    under_way: list[asyncio.Task[None]] = [
        asyncio.create_task(_every(_APPROVE_S, users.approve), name="approver"),
        asyncio.create_task(_every(60.0, partial(_at_once, world.count)), name="counter"),
        asyncio.create_task(_every(_BACKUP_S, partial(_at_once, breakage.remember)), name="backups"),
        asyncio.create_task(_change_pace(world, [] if evenly else _busy(world, deeds, length)), name="pace"),
    ]
    lasting = len(under_way)
    for deed in deeds:
        await asyncio.sleep(max(0.0, start_s + deed.at_s - world.now_s))
        under_way.append(asyncio.create_task(_do(users if deed.what in people else breakage, deed), name=deed.what))
        count(world, deed)
    await asyncio.sleep(max(0.0, start_s + length.day_s - world.now_s) if length.bursts else 0.0)
    await _ended(under_way[lasting:])
    await _mend(world, users, length)
    under_way[0].cancel()
    under_way[2].cancel()
    world.settle()
    await asyncio.sleep(length.quiet_s)
    under_way[1].cancel()
    under_way[3].cancel()
    await world.end()
    for task in under_way[lasting:]:
        task.result()


async def _ended(deeds: Sequence[asyncio.Task[None]]) -> None:
    """Wait for what was begun; RuntimeError when some of it never ends."""
    waited = await asyncio.wait(deeds, timeout=_LATEST_S) if deeds else None
    if waited and waited[1]:
        raise RuntimeError(f"never ended: {', '.join(sorted(task.get_name() for task in waited[1]))}")


def count(world: World, deed: Deed) -> None:
    """Take note of what is done, and for how long what is broken lasts."""
    world.done[deed.what] += 1
    if deed.for_s >= LONG_S:
        world.done[f"{deed.what} for hours"] += 1
        world.done[f"hours of {deed.what}"] += round(deed.for_s / 3600)


def _busy(world: World, deeds: Sequence[Deed], length: Length) -> list[tuple[float, float]]:
    spans = busy(deeds, bursts_of(world.seed, length), length) if length.bursts else []
    return [*spans, (length.day_s, length.day_s + length.mend_s + length.quiet_s)] if spans else []


async def _change_pace(world: World, spans: Sequence[tuple[float, float]]) -> None:
    """Let nothing be said often outside of some spans of time; all is as always well before each of them."""
    start_s = world.now_s
    _rest_until(spans, 0.0)
    for begins_s, ends_s in spans:
        await asyncio.sleep(max(0.0, start_s + begins_s - 2 * pace.LONGEST_S - world.now_s))
        pace.often()
        await asyncio.sleep(max(0.0, start_s + begins_s - world.now_s))
        pace.real()
        await asyncio.sleep(max(0.0, start_s + ends_s - world.now_s))
        _rest_until([span for span in spans if span[0] > begins_s], world.now_s - start_s)


def _rest_until(spans: Sequence[tuple[float, float]], now_s: float) -> None:
    """Have nothing said often if there is time for that before the next of some spans."""
    if spans and spans[0][0] - 3 * pace.LONGEST_S > now_s:
        pace.seldom()


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
        await asyncio.sleep(seconds * (10 if pace.is_seldom() else 1))
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
