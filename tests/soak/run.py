"""One soak from its start to its verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.script import Deed
from tests.soak.ending import LIMITS, come_to_rest, dumps
from tests.soak.evidence import Dump, Evidence, Known, Rest
from tests.soak.faults import Breakage
from tests.soak.measuring import Meter, growth
from tests.soak.people import People
from tests.soak.plan import DEEDS, HOSTS, Size, first, plan
from tests.soak.report import causeless_above, report
from tests.soak.stage import Stage, a_stage
from tests.soak.telling import history_of
from tests.support.checking.checker import check
from tests.support.checking.history import Settled, encode

_USERS = frozenset({"drain", "cordon", "uncordon", *(what for what, _ in DEEDS)})
_APPROVE_EVERY_S = 10.0
_PATIENCE_S = 900.0
_REST_S = 30.0


@dataclass(slots=True)
class Verdict:
    """What came of a soak: what is wrong, and the report."""

    problems: list[str] = field(default_factory=list)
    report: str = ""


def soak(seed: int, size: Size, folder: Path) -> Verdict:
    """Run one soak; everything it leaves is in ``folder``, which must be there."""
    _say(f"seed {seed}, {size.minutes:g} minutes, {size.objects} objects, folder {folder}")
    with a_stage(folder, size, seed) as stage:
        found = asyncio.run(_run(stage, seed))
    if isinstance(found, Verdict):
        return found
    found.keep(folder)
    return judge(found, folder)


async def _run(stage: Stage, seed: int) -> Evidence | Verdict:
    breakage, meter = Breakage(stage), Meter(stage)
    async with People(stage) as people:
        await people.settle_down()
        before = await dumps(people)
        for host in HOSTS:
            await asyncio.to_thread(stage.join, host)
        _say("both clusters joined")
        await stage.furnish()
        await people.fill(first(seed, stage.size))
        _say("all objects made above")
        lasting = [agent.supervise() for agent in stage.agents.values()]
        lasting += [breakage.supervise_plane(), meter.run(), _approve(people)]
        async with _Lasting(lasting):
            ready = await come_to_rest(stage, people, _PATIENCE_S)
            if ready.problems:
                return Verdict(ready.problems, "it never began")
            _say(f"both sides agree after {ready.took_s:.0f} s; the faults begin")
            await _live(stage, seed, people, breakage)
            breakage.mend()
            _say("all is mended")
            rest = await come_to_rest(stage, people, _PATIENCE_S)
            _say(f"{'NO agreement' if rest.problems else 'both sides agree'} after {rest.took_s:.0f} s")
            stage.notes.append(Settled(rest.settled_s))
            await asyncio.sleep(_REST_S)  # in which nothing may be written
            after = await dumps(people)
            rest.problems.extend(await people.foreign_problems())
        return await asyncio.to_thread(_evidence, stage, seed, people, breakage, meter, (rest, before, after))


def _evidence(
    stage: Stage,
    seed: int,
    people: People,
    breakage: Breakage,
    meter: Meter,
    found: tuple[Rest, dict[str, Dump], dict[str, Dump]],
) -> Evidence:
    rest, before, after = found
    return Evidence(
        seed=seed,
        size=stage.size,
        agents={name: Known(one.uid, one.user, tuple(one.endings)) for name, one in stage.agents.items()},
        audit_logs={name: cluster.audit_log for name, cluster in stage.clusters.items()},
        requests=stage.server.requests,
        workspaces=stage.workspaces,
        notes=stage.notes,
        seen=stage.tap.events(),
        rows=stage.tap.rows(),
        first=before,
        last=after,
        after_crashes=breakage.after_crashes,
        asked=people.asked,
        done=people.done,
        refused=people.refused,
        faults=breakage.done,
        approved=len(people.approved),
        plane_endings=tuple(breakage.plane_endings),
        samples=meter.samples,
        rest=rest,
        ended_s=time.time(),
    )


def judge(evidence: Evidence, folder: Path) -> Verdict:
    """Judge what was seen; the history goes to the folder, for the checker's own command."""
    history = history_of(evidence)
    (folder / "history.jsonl").write_bytes(encode(history))
    problems = list(evidence.rest.problems)
    problems += [str(one) for one in check(history, LIMITS)]
    problems += causeless_above(history, evidence.asked, evidence.workspaces)
    problems += growth(evidence.samples)
    for name, agent in evidence.agents.items():
        problems += [f"the agent of {name} ended with {code} by itself" for code in agent.endings]
    problems += [f"the control plane ended with {code} by itself" for code in evidence.plane_endings]
    return Verdict(problems, report(evidence, history))


async def _live(stage: Stage, seed: int, people: People, breakage: Breakage) -> None:
    """Go through the plan; returns when the last deed is done and the last fault is mended."""
    start_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for deed in plan(seed, stage.size):
            await asyncio.sleep(max(0.0, start_s + deed.at_s - time.monotonic()))
            if deed.what not in _USERS:
                _say(f"{deed.at_s:6.0f} s  {deed.what} {deed.host}, {deed.for_s:.0f} s")
            group.create_task(_do(people if deed.what in _USERS else breakage, deed), name=deed.what)


async def _do(who: People | Breakage, deed: Deed) -> None:
    await who.do(deed)


async def _approve(people: People) -> None:
    while True:
        await people.approve()
        await asyncio.sleep(_APPROVE_EVERY_S)


class _Lasting:
    """Work that goes on for the length of an ``async with`` block; its failure is raised at the end."""

    def __init__(self, work: list[Coroutine[None, None, None]]) -> None:
        self._tasks = [asyncio.create_task(one) for one in work]

    async def __aenter__(self) -> None:
        """Go on."""

    async def __aexit__(self, *_: object) -> None:
        """End it all."""
        failures = [task.exception() for task in self._tasks if task.done() and not task.cancelled()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for failure in failures:
            if failure is not None:
                raise failure


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
