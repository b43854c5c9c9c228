"""What breaks in a soak, and how it is mended after a while; each fault ends by itself."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.simulation.script import Deed
from tests.soak.evidence import Revisions
from tests.soak.plan import HOSTS
from tests.soak.stage import Stage
from tests.soak.telling import dump
from tests.support.chaos import Link, Weather

_RESTART_S = 45.0
"""How long after a fault its effects may last on a busy machine: programs start, connections are made again."""
_OF_ALL = frozenset({"kill_plane", "kill_scheduler"})


class Breakage:
    """
    Carries out what the plan says that breaks.

    Attributes:
        done: How many faults of each sort there were.
        after_crashes: When, and what was there, after a cluster's API server was killed and started again.
        plane_endings: Exit codes the control plane ended with though nobody had killed it.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.after_crashes: dict[str, list[tuple[float, Revisions]]] = {}
        self.done: Counter[str] = Counter()
        self.plane_endings: list[int] = []
        self._one_at_a_time = {name: asyncio.Lock() for name in ("plane", *HOSTS, *(f"agent {host}" for host in HOSTS))}

    async def do(self, deed: Deed) -> None:
        """Break something for a while; returns when it is mended and its effects are over."""
        act: Callable[[Deed, random.Random], Awaitable[None]] = getattr(self, deed.what)
        hosts = HOSTS if deed.what in _OF_ALL else (deed.host,)
        self._stage.worse(*hosts)
        try:
            await act(deed, random.Random(f"fault {deed.pick}"))
            self.done[deed.what] += 1
            await asyncio.sleep(_RESTART_S)
        finally:
            self._stage.better(*hosts)

    async def supervise_plane(self) -> None:
        """Start the control plane again when it ends by itself, and take note of that."""
        while True:
            await asyncio.sleep(1.0)
            async with self._one_at_a_time["plane"]:
                code = self._stage.server.process.return_code
                if code is not None:
                    self.plane_endings.append(code)
                    await asyncio.to_thread(self._stage.server.restart)

    def mend(self) -> None:
        """Let every link work."""
        for agent in self._stage.agents.values():
            agent.up.calm()
            agent.down.calm()

    # --- links -------------------------------------------------------------------------------------------------------

    def _links(self, deed: Deed, chance: random.Random) -> list[Link]:
        """Return an agent's way up, its way down, or both."""
        agent = self._stage.agents[deed.host]
        return chance.choice([[agent.up], [agent.down], [agent.up, agent.down]])

    async def _for_a_while(self, links: list[Link], weather: Weather, for_s: float) -> None:
        for link in links:
            await asyncio.to_thread(link.be, weather)
        await asyncio.sleep(for_s)
        for link in links:
            await asyncio.to_thread(link.calm)

    async def cut(self, deed: Deed, chance: random.Random) -> None:
        """Let nothing through, with or without a word."""
        way = chance.choice(["refused", "reset", "silent", "garbage"])
        await self._for_a_while(self._links(deed, chance), Weather(way=way), deed.for_s)

    async def half_open(self, deed: Deed, chance: random.Random) -> None:
        """Leave open connections half open for good, or reset them; new ones work."""
        for link in self._links(deed, chance):
            await asyncio.to_thread(chance.choice([link.freeze, link.sever]))

    async def slow(self, deed: Deed, chance: random.Random) -> None:
        """Delay or throttle everything."""
        weather = chance.choice([Weather(delay_s=0.2), Weather(delay_s=1.5), Weather(bytes_per_s=20_000)])
        await self._for_a_while(self._links(deed, chance), weather, deed.for_s)

    async def lossy(self, deed: Deed, chance: random.Random) -> None:
        """Reset some connections when they are made, or in the middle of an answer."""
        weather = chance.choice([Weather(lost=0.3), Weather(cut_after=3_000), Weather(lost=0.2, cut_after=60_000)])
        await self._for_a_while(self._links(deed, chance), weather, deed.for_s)

    # --- processes ---------------------------------------------------------------------------------------------------

    async def kill_agent(self, deed: Deed, _: random.Random) -> None:
        """Kill an agent, now; it is started again."""
        async with self._one_at_a_time[f"agent {deed.host}"]:
            await asyncio.to_thread(self._stage.agents[deed.host].kill)

    async def pause_agent(self, deed: Deed, _: random.Random) -> None:
        """Have an agent sleep and wake up with what it believed."""
        async with self._one_at_a_time[f"agent {deed.host}"]:
            process = self._stage.agents[deed.host].process
            if process is not None:
                process.pause()
                await asyncio.sleep(deed.for_s)
                process.resume()

    async def kill_plane(self, deed: Deed, chance: random.Random) -> None:
        """Kill the control plane, and its scheduler with it."""
        async with self._one_at_a_time["plane"]:
            await asyncio.to_thread(self._stage.server.process.kill)
            await asyncio.sleep(chance.choice([0.0, 1.0, deed.for_s / 2]))
            await asyncio.to_thread(self._stage.server.launch)
            await asyncio.to_thread(self._stage.server.wait_ready, 120.0)

    async def kill_scheduler(self, deed: Deed, _: random.Random) -> None:
        """Kill the scheduler; the server starts it again."""
        del deed
        async with self._one_at_a_time["plane"]:
            if pid := self._stage.scheduler_pid():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    async def kill_cluster(self, deed: Deed, chance: random.Random) -> None:
        """Kill a cluster's API server; its etcd stays."""
        async with self._one_at_a_time[deed.host]:
            cluster = self._stage.clusters[deed.host]
            await asyncio.to_thread(cluster.kill_api_server)
            await asyncio.sleep(chance.choice([0.0, 1.0, deed.for_s / 2]))
            await asyncio.to_thread(cluster.start_api_server)
            async with self._stage.below(deed.host) as client:
                there = await dump(client)
            self.after_crashes.setdefault(deed.host, []).append((time.time(), there))

    async def pause_cluster(self, deed: Deed, _: random.Random) -> None:
        """Have a cluster's API server hang."""
        async with self._one_at_a_time[deed.host]:
            cluster = self._stage.clusters[deed.host]
            cluster.pause_api_server()
            await asyncio.sleep(deed.for_s)
            cluster.resume_api_server()
