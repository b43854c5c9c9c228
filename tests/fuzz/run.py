"""A run: sequences from Hypothesis, sent to both servers several at once, judged, and the smallest ones kept."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fairlead_api import JsonObject
from tests.fuzz import comparing
from tests.fuzz.asked import Memory, Request, shorter
from tests.fuzz.coverage import Coverage
from tests.fuzz.definitions import custom_sequences, definition_sequences
from tests.fuzz.groups import Group, Groups, key_of
from tests.fuzz.kinds import Kind, Schemas, load_kinds
from tests.fuzz.reviews import review_sequences
from tests.fuzz.sequences import kinds_named, sequences
from tests.fuzz.sides import CRDS, Address, Pair, Side
from tests.support import process_cluster
from tests.support.servers import fairlead_server

TOLD = 200
"""More combinations than these are only counted."""
CUSTOM_IN_TURN = 8
"""So often in a turn through all kinds a CRD is made."""
AT_ONCE = 8
REDUCTIONS = 60
"""So many shorter sequences are tried for each difference."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What the real server serves, of the kinds that are asked for."""

    kinds: list[Kind]
    definitions: Kind | None
    schemas: Schemas


AGAIN, AGAIN_S = 10, 0.1
"""How often, and after how long, a cache that differs is asked again."""


@dataclass(slots=True)
class Run:
    """
    What a run is of, and what came of it.

    Attributes:
        pair: The servers.
        groups: The differences.
        coverage: What was asked.
        comparer: :func:`comparing.differences`, unless a bug is planted.
        told: Is called for each difference that has no name when it is met first.
        turn: The number of the next sequence, from which it follows.
    """

    pair: Pair
    groups: Groups
    coverage: Coverage = field(default_factory=Coverage)
    comparer: comparing.Comparer = comparing.differences
    told: Callable[[Group], None] = lambda group: None
    turn: int = 0
    ended_early: int = 0

    async def sequence(self, requests: list[Request]) -> None:
        """Send a sequence; it ends where the servers' states part."""
        memories = await self.pair.enter()
        known: set[tuple[str, str]] = set()
        for index, request in enumerate(requests):
            if request.verb == "settle":
                if not await self.pair.settle(request, memories):
                    self.ended_early += 1
                    return
                continue
            if await self._asked(requests[: index + 1], memories, known):
                self.ended_early += 1
                return

    async def _asked(
        self, requests: list[Request], memories: tuple[Memory, Memory], known: set[tuple[str, str]]
    ) -> bool:
        """Send the last of these, and say whether nothing after it can be compared."""
        answers = await self.pair.ask(requests[-1], memories)
        found = self.comparer(requests[-1], *answers, memories[0].word)
        for _ in range(
            AGAIN if requests[-1].query.get("resourceVersion") == "0" and requests[-1].verb != "watch" else 0
        ):
            if not found:
                break
            await asyncio.sleep(AGAIN_S)  # such an answer comes from a cache, which may be late
            answers = await self.pair.ask(requests[-1], memories)
            found = self.comparer(requests[-1], *answers, memories[0].word)
        self.coverage.add(requests[-1], answers[1].code)
        is_over = False
        for difference in found:
            if difference.what == "object" and (difference.what, difference.where) in known:
                continue
            known.add((difference.what, difference.where))
            group = self.groups.add(requests, answers, difference)
            if group.count == 1 and not group.reason:
                self.told(group)
            is_over |= difference.what == "code" and requests[-1].method != "GET"
        return is_over

    async def shows(self, requests: list[Request], key: str) -> bool:
        """Say whether the last of these requests shows the difference of a key."""
        memories = await self.pair.enter()
        for request in requests:
            if request.verb == "settle":
                await self.pair.settle(request, memories)
                continue
            answers = await self.pair.ask(request, memories)
        codes = answers[0].code, answers[1].code
        found = self.comparer(requests[-1], *answers, memories[0].word)
        return any(key_of(requests[-1], codes, difference) == key for difference in found)

    async def reduce(self, group: Group) -> None:
        """Make the sequence of a group as short as can be."""
        left = REDUCTIONS
        is_smaller = True
        while is_smaller:
            is_smaller = False
            for less in shorter(group.requests):
                left -= 1
                if left < 0:
                    return
                if await self.shows(less, group.key):
                    group.requests, is_smaller = less, True
                    break


async def surface(side: Side, only: str = "") -> Surface:
    """Ask the real server for its kinds and their schemas."""
    discovered: dict[str, JsonObject] = {}
    groups = [version["groupVersion"] for group in (await side.get("/apis"))["groups"] for version in group["versions"]]
    for path, group_version in [("/api/v1", "v1"), *((f"/apis/{each}", each) for each in groups)]:
        listed = await side.get(path) or {"resources": ()}  # the group of a CRD of before may be on its way out
        for resource in listed["resources"]:
            discovered[f"{group_version}/{resource['name']}"] = resource
    schemas = Schemas(await side.get("/openapi/v2"))
    definitions = Kind(
        CRDS, "CustomResourceDefinition", is_namespaced=False,
        schema=schemas.of("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    )  # fmt: skip
    kinds = kinds_named(load_kinds(discovered, schemas), only)
    return Surface(kinds, definitions if kinds_named([definitions], only) else None, schemas)


Strategy: TypeAlias = st.SearchStrategy[list[Request]]


def _strategies(found: Surface, only: str) -> list[Strategy]:
    """Return what is drawn from in turn, so that every kind comes as often: CRDs and their objects more so."""
    parts = [sequences(kind, found.schemas) for kind in found.kinds]
    if not only or "reviews" in only:
        parts.append(review_sequences(found.schemas))
    if not only or "custom" in only:
        every = max(len(parts) // CUSTOM_IN_TURN, 1)
        for place in range(0, len(parts) + 1, every + 1):
            parts.insert(place, custom_sequences(found.schemas))
    if found.definitions is not None:
        parts.append(definition_sequences(found.definitions, found.schemas))
    return parts


def drawn(strategy: Strategy, number: int) -> list[Request]:
    """Return a sequence; the same number gives the same one."""
    batch: list[list[Request]] = []

    @seed(number)
    @settings(
        max_examples=2, database=None, deadline=None, phases=[Phase.generate], derandomize=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(requests: list[Request]) -> None:
        batch.append(requests)

    collect()
    return batch[-1]  # the first one is the least there can be, whatever the seed


@dataclass(frozen=True, slots=True)
class Options:
    """
    What is asked for: how many requests, under which seed, of which kinds.

    ``limit_s`` and ``reducing_s`` are seconds for finding (0: no limit) and for making shorter what was found.
    ``sequences`` counts instead of ``requests`` where it is given: what is sent then does not depend on the answers.
    """

    requests: int
    seed: int
    only: str = ""
    limit_s: float = 0.0
    reducing_s: float = 0.0
    sequences: int = 0


async def run(options: Options, made: Run) -> Surface:
    """Send about so many requests to each server, in all; what was found and has no name is made shorter after."""
    found = await surface(made.pair.sides[1], options.only)
    waiting = _waiting(options, made, found)
    async with asyncio.TaskGroup() as workers:
        for number in range(AT_ONCE):
            workers.create_task(_work(made, waiting), name=f"fuzz {number}")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(options.reducing_s):
            for group in made.groups.unnamed:
                await made.reduce(group)
    return found


def _waiting(options: Options, made: Run, found: Surface) -> Iterator[list[Request]]:
    """Yield sequences about one kind after the other until there are enough."""
    strategies = _strategies(found, options.only)
    started = time.monotonic()
    first = made.turn
    while True:
        sent = made.turn - first
        is_enough = sent >= options.sequences if options.sequences else made.coverage.total >= options.requests
        if is_enough or 0 < options.limit_s < time.monotonic() - started:
            return
        made.turn += 1
        yield drawn(strategies[made.turn % len(strategies)], options.seed * 1_000_000 + made.turn)


async def _work(made: Run, waiting: Iterator[list[Request]]) -> None:
    for requests in waiting:
        await made.sequence(requests)


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[tuple[Address, Address]]:
    """Start both servers, the real one with the controllers that our server has within."""
    cluster = process_cluster.start_api("twin", folder / "cluster")
    try:
        cluster.launch_housekeeping()
        with fairlead_server(folder, "--no-scheduler", "--profile=cluster") as server:
            tls = ssl.create_default_context(cafile=str(cluster.certificate_authority))
            yield Address(server.url, server.token, server.tls()), Address(cluster.server, cluster.token, tls)
    finally:
        cluster.stop()


def report(made: Run, found: Surface, options: Options) -> str:
    """Return what a run says at its end."""
    never, refused, total = made.coverage.missed([*found.kinds, *([found.definitions] if found.definitions else ())])
    groups = made.groups
    lines: list[Any] = [made.coverage, f"sequences that ended where the servers parted: {made.ended_early}"]
    lines.append(f"combinations of verb and collection: {total}, asked {total - len(never)}, never 2xx {len(refused)}")
    lines += [f"  never asked: {', '.join(never)}"] if 0 < len(never) <= TOLD else []
    lines += [f"  never 2xx: {', '.join(refused)}"] if 0 < len(refused) <= TOLD else []
    lines.append(f"named differences met: {len(groups.excused)}; not named: {len(groups.unnamed)}; seed {options.seed}")
    lines += groups.unnamed
    return "\n".join(map(str, lines))
