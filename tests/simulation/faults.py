"""What breaks, and how it is mended after a while."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.simulation import parts
from tests.simulation.network import Faults, Link
from tests.simulation.parts import PLANE, Agent
from tests.simulation.script import LONG_S, Deed
from tests.simulation.users import Users
from tests.simulation.world import World

BUMPED = False
"""Whether a restored cluster's revisions go on above those it had, as Kubernetes asks of who restores etcd."""
_BACKUPS = 12
"""Most that are kept of a cluster: the further back, the fewer."""
_RESTART_S = 20.0
"""How long after a restart its effects may last: connections are made again."""


class Breakage:
    """Carries out what the script says that breaks; each fault ends by itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._snapshots: dict[str, list[bytes]] = {host: [] for host in world.targets}
        self._keys = 100

    async def do(self, deed: Deed) -> None:
        """Break something for a while; returns when it is mended."""
        act: Callable[[Deed, random.Random], Awaitable[None]] = getattr(self, deed.what)
        hosts = list(self._world.targets) if deed.what in {"restart_plane"} else [deed.host]
        self._world.worse(*hosts)
        try:
            await act(deed, random.Random(f"fault {deed.pick}"))
            await asyncio.sleep(_RESTART_S)
        finally:
            self._world.better(*hosts)

    def remember(self) -> None:
        """Back up every cluster."""
        for host, kept in self._snapshots.items():
            kept.append(self._world.servers[host].content())
            if len(kept) > _BACKUPS:
                del kept[1::2]

    def _links(self, deed: Deed, chance: random.Random) -> list[Link]:
        """Return the way up, the way down, or both, of a target's agent."""
        target = self._world.targets[deed.host]
        ways = chance.choice([[PLANE], [deed.host], [PLANE, deed.host]])
        return [self._world.network.link(target.part, host) for host in ways]

    async def _for_a_while(self, links: list[Link], faults: Faults, for_s: float) -> None:
        for link in links:
            link.set(faults)
        await asyncio.sleep(for_s)
        for link in links:
            link.set(Faults())

    async def cut(self, deed: Deed, chance: random.Random) -> None:
        """Cut connections, with or without a word."""
        await self._for_a_while(
            self._links(deed, chance), Faults(down=chance.choice(["refused", "silent"])), deed.for_s
        )

    async def cut_above(self, deed: Deed, chance: random.Random) -> None:
        """Cut the way up alone, as the deed's name says."""
        del chance
        link = self._world.network.link(self._world.targets[deed.host].part, PLANE)
        await self._for_a_while([link], Faults(down=deed.name), deed.for_s)

    async def weather(self, deed: Deed, chance: random.Random) -> None:
        """Lose, delay and break some of everything."""
        bad = chance.choice([0.02, 0.1, 0.3])
        faults = Faults(
            slow_s=chance.choice([0.02, 0.5, 5.0]), lost_request=bad, lost_answer=bad, half=bad,
            cut_watch=bad, mute_watch=bad / 3,
        )  # fmt: skip
        await self._for_a_while(self._links(deed, chance), faults, deed.for_s)

    async def lies(self, deed: Deed, chance: random.Random) -> None:
        """Have something in between answer wrongly."""
        faults = Faults(wrong=chance.choice([0.1, 0.5, 1.0]), empty=chance.choice([0.0, 0.2, 1.0]), cut_watch=0.2)
        await self._for_a_while(self._links(deed, chance), faults, deed.for_s)

    async def stale(self, deed: Deed, chance: random.Random) -> None:
        """
        Have an agent believe for a while that it must remove what is wanted again by now.

        A workspace is wanted nowhere, the deletions that follow fail, its agent's watches fall silent, and it is
        wanted again: deletions that succeed by then must not be.
        """
        target = self._world.targets[deed.host]
        above, below = (self._world.network.link(target.part, host) for host in (PLANE, deed.host))
        users = Users(self._world)
        below.set(Faults(no_delete=1.0))
        await users.do(replace(deed, what="unplace"))
        await asyncio.sleep(5.0 + chance.random() * 10)
        above.mute()
        await users.do(replace(deed, what="place"))
        await asyncio.sleep(35.0)
        below.set(Faults())
        await asyncio.sleep(60.0)

    async def crash_agent(self, deed: Deed, chance: random.Random) -> None:
        """Kill an agent, now."""
        del chance
        self._world.agents[deed.host].crash()

    async def stop_agent(self, deed: Deed, chance: random.Random) -> None:
        """Have an agent not run for a while."""
        del chance
        agent = self._world.agents[deed.host]
        await agent.stop()
        await asyncio.sleep(deed.for_s)
        agent.start()

    async def die_at(self, deed: Deed, chance: random.Random) -> None:
        """Kill an agent before or after one of its next requests."""
        agent = self._world.agents[deed.host]
        agent.die_at(1 + chance.randrange(60), after_answer=chance.random() < 0.5)
        await asyncio.sleep(30)

    async def lose_state(self, deed: Deed, chance: random.Random) -> None:
        """
        Have an agent's disk lost; an administrator lets it in again.

        Once nothing else is broken: what it made and could not have recorded yet nobody can know again.
        """
        del chance
        self._keys += 1
        waited_s = 0.0
        self._world.better(deed.host)  # two that wait are no trouble to each other
        while self._world.trouble[deed.host] or not self._world.servers[PLANE].is_up:
            waited_s += (pause_s := 1.0 if waited_s < LONG_S else 60.0)
            await asyncio.sleep(pause_s)
        self._world.worse(deed.host)
        await asyncio.sleep(30)
        await self._world.agents[deed.host].lose_state(self._keys)

    async def skew(self, deed: Deed, chance: random.Random) -> None:
        """Start an agent whose clock is wrong."""
        agent = self._world.agents[deed.host]
        agent.skew_s = chance.choice([-3600.0, -30.0, 30.0, 3600.0])
        agent.crash()
        await asyncio.sleep(deed.for_s)
        agent.skew_s = 0.0
        agent.crash()

    async def second_agent(self, deed: Deed, chance: random.Random) -> None:
        """Run a copy of an agent beside it, of the same state directory; it must not take the key for itself."""
        del chance
        if deed.host in self._world.seconds:
            return
        first = self._world.agents[deed.host]
        folder = first.folder.with_name(f"{deed.host}-copy-{deed.pick}")
        folder.mkdir()
        for file in first.folder.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        parts.stamp(folder)
        second = self._world.seconds[deed.host] = Agent(first.target, folder, replace(first.mood, key_lifetime_s=0.0))
        second.start()
        await asyncio.sleep(deed.for_s)
        self._world.gone.append(self._world.seconds.pop(deed.host))
        await second.stop()

    async def restart_plane(self, deed: Deed, chance: random.Random) -> None:
        """Have the control plane die and come back."""
        await self._restart(PLANE, chance, deed.for_s)

    async def restart_cluster(self, deed: Deed, chance: random.Random) -> None:
        """Have a cluster's API server die and come back."""
        await self._restart(deed.host, chance, deed.for_s)

    async def _restart(self, host: str, chance: random.Random, for_s: float) -> None:
        server = self._world.servers[host]
        if server.is_up:
            server.crash()
            await asyncio.sleep(for_s if for_s >= LONG_S else chance.choice([0.0, 1.0, for_s]))
            await server.start()

    async def wipe_cluster(self, deed: Deed, chance: random.Random) -> None:
        """Have a cluster begin anew, without anything."""
        await self._replace(deed.host, self._world.first[deed.host], chance)

    async def restore_cluster(self, deed: Deed, chance: random.Random) -> None:
        """Have a cluster restored from a backup."""
        kept = self._snapshots[deed.host]
        if kept:
            await self._replace(deed.host, chance.choice(kept), chance)

    async def _replace(self, host: str, data: bytes, chance: random.Random) -> None:
        server = self._world.servers[host]
        if server.is_up:
            newest = server.store.revision if server.store is not None else 0
            server.crash()
            server.become(data, revision=newest + 1000 if BUMPED else 0)
            self._world.replaced(host, data)
            await asyncio.sleep(chance.choice([0.5, 30.0]))
            await server.start()

    async def restart_scheduler(self, deed: Deed, chance: random.Random) -> None:
        """Have the scheduler die and come back."""
        self._world.running[0].cancel()
        await asyncio.sleep(deed.for_s if deed.for_s >= LONG_S else chance.choice([0.0, 30.0]))
        self._world.running[0].cancel()  # another one may have been started meanwhile
        self._world.running[0] = parts.start_scheduler()
