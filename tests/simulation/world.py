"""Everything that is simulated, and the history of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fairlead_control_plane.store.contract import Event
from tests.simulation import parts
from tests.simulation.mood import Mood
from tests.simulation.network import Faults, Network
from tests.simulation.parts import PLANE, Agent, Joined
from tests.simulation.servers import Hears, Server
from tests.support.checking.history import Asked, Counted, Health, Record, Settled, Target


@dataclass(frozen=True, slots=True)
class Base:
    """What every day begins with: contents of the stores by host, files of the agents, SyncTargets."""

    contents: dict[str, bytes]
    files: dict[str, dict[str, bytes]]
    targets: tuple[Joined, ...]
    at_s: float


@dataclass(slots=True)
class Heard:
    at_s: float
    side: str
    events: Sequence[Event]
    actors: dict[int, str]


@dataclass(slots=True)
class World:
    """
    One day.

    Attributes:
        targets: By host.
        agents: By host; a second one for the same target is in ``seconds``.
        trouble: Faults now, by host.
        done: How often each thing happened.
    """

    seed: int
    folder: Path
    base: Base
    mood: Mood = field(default_factory=Mood)
    done: Counter[str] = field(default_factory=Counter)
    network: Network = field(init=False)
    servers: dict[str, Server] = field(default_factory=dict)
    targets: dict[str, Joined] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    seconds: dict[str, Agent] = field(default_factory=dict)
    gone: list[Agent] = field(default_factory=list)
    trouble: dict[str, int] = field(default_factory=dict)
    log: list[Heard | Record | tuple[float, str, bytes]] = field(default_factory=list)
    first: dict[str, bytes] = field(default_factory=dict)
    running: list[asyncio.Task[None]] = field(default_factory=list)
    ended_s: float = 0.0
    counted_s: float = 0.0

    def __post_init__(self) -> None:
        self.network = Network(self.seed)
        self.network.asked = self._asked

    @property
    def now_s(self) -> float:
        """Return virtual seconds."""
        return asyncio.get_running_loop().time()

    async def begin(self) -> None:
        """Start every part."""
        self.counted_s = self.now_s
        for target in self.base.targets:
            self.targets[target.host] = target
            self.trouble[target.host] = 0
            self.log.append(Target(self.now_s, target.uid, target.cluster, target.host))
        for host, data in self.base.contents.items():
            self.first[host] = data
            side = self.side(host)
            profile = "workspaces" if host == PLANE else "cluster"
            self.servers[host] = Server(self.network, host, profile, data, self._hear(side))
            self.servers[host].mood = self.mood
            await self.servers[host].start()
        self.running = [parts.start_scheduler(), *(parts.start_controller(host) for host in self.targets)]
        for host, target in self.targets.items():
            folder = self.folder / host
            folder.mkdir(parents=True)
            for name, content in self.base.files[host].items():
                (folder / name).write_bytes(content)
            parts.stamp(folder)
            self.agents[host] = Agent(target, folder, self.mood)
            self.agents[host].start()

    async def end(self) -> None:
        """Stop every part."""
        self.ended_s = self.now_s
        for agent in [*self.agents.values(), *self.seconds.values()]:
            await agent.stop()
        for task in self.running:
            task.cancel()
        for server in self.servers.values():
            server.check()
            server.crash()
        await asyncio.sleep(60)
        for task in list(self.network.work):
            task.cancel()
        await asyncio.sleep(1)

    def side(self, host: str) -> str:
        """Return what the history calls a host."""
        return "" if host == PLANE else self.targets[host].uid

    def _hear(self, side: str) -> Hears:
        def heard(events: Sequence[Event], actors: dict[int, str]) -> None:
            self.log.append(Heard(self.now_s, side, events, actors))

        return heard

    def _asked(self, part: str, path: str) -> None:
        """Take note of ``/services/syncer/.../clusters/<cluster>/<API>/namespaces/<namespace>[/<plural>/<name>]``."""
        _, _, below = path.partition("/clusters/")
        cluster, _, rest = below.partition("/")
        namespace, *inside = rest.partition("/namespaces/")[2].split("/")
        place = (namespace, inside[-1]) if inside else ("", namespace)
        self.log.append(Asked(self.now_s, part.removeprefix("agent:"), cluster, *place))

    def worse(self, *hosts: str) -> None:
        """Take note that something began to be broken for these targets."""
        for host in hosts:
            self.trouble[host] += 1
            if self.trouble[host] == 1:
                self.log.append(Health(self.now_s, self.targets[host].uid, healthy=False))

    def better(self, *hosts: str) -> None:
        """Take note that it works again."""
        for host in hosts:
            self.trouble[host] -= 1
            if self.trouble[host] == 0:
                self.log.append(Health(self.now_s, self.targets[host].uid, healthy=True))

    def endings(self) -> list[tuple[str, str]]:
        """Return host and cause wherever an agent ended that nobody had killed."""
        agents = [*self.agents.values(), *self.gone]
        return [(agent.target.host, repr(error)) for agent in agents for error in agent.endings]

    def settle(self) -> None:
        """Take note that nothing is broken and nobody changes anything from here on."""
        self.log.append(Settled(self.now_s))

    def clear(self) -> None:
        """Let every link work."""
        for link in self.network.links.values():
            link.set(Faults())

    def replaced(self, host: str, data: bytes) -> None:
        """Take note that a cluster has other content from here on, by no agent's doing."""
        self.log.append((self.now_s, self.side(host), data))

    def count(self) -> None:
        """Take note of what must stay bounded."""
        for host, target in self.targets.items():
            link = self.network.link(target.part, PLANE)
            minutes = max((self.now_s - self.counted_s) / 60, 1.0)
            self.log.append(Counted(self.now_s, target.uid, "requests_per_minute", link.requests / minutes))
            self.log.append(Counted(self.now_s, target.uid, "connects_per_minute", link.connects / minutes))
            link.requests = link.connects = 0
            del host
        self.counted_s = self.now_s
