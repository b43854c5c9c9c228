"""After the last fault: until both sides agree, then a while in which nothing may happen."""

from __future__ import annotations

import asyncio
import time

from fairlead_api.errors import ApiError
from fairlead_api.names import ROOT
from fairlead_machinery.transport import Unreachable
from tests.simulation.script import Deed
from tests.soak.evidence import Dump, Rest
from tests.soak.people import People
from tests.soak.plan import HOSTS
from tests.soak.stage import SYNC_TARGETS, Stage
from tests.soak.telling import dump, snapshot
from tests.support.checking.checker import check
from tests.support.checking.wanted import Limits
from tests.support.waiting import WaitedTooLong, wait_until_async

LIMITS = Limits(
    quiet_after_s=0.0,
    asks=True,
    counted={"requests_per_minute": 12_000},
)
_IDLE_S = 15.0
_EVERY_S = 3.0
_SAY_EVERY_S = 30.0
_SHOWN = 12


async def come_to_rest(stage: Stage, people: People, patience_s: float) -> Rest:
    """Lift what users have set, approve what is held, and wait until both sides agree and nothing is written."""
    for host in HOSTS:
        await people.do(Deed(0, "uncordon", host, "", "", "", "", 0, 0))
    wrong = await people.foreign_problems()
    await people.take_guests_home()
    began_s = said_s = time.time()

    async def agreed() -> bool:
        nonlocal said_s
        await people.approve()
        problems = await disagreement(stage, people)
        if problems and time.time() > said_s + _SAY_EVERY_S:
            said_s = time.time()
            print(f"          {len(problems)} things not as they should be yet, such as {problems[0]}", flush=True)
        if problems:
            raise AssertionError("\n".join(problems[:_SHOWN]) + f"\n({len(problems)} in all)")
        idle_s = time.time() - stage.tap.last_s
        if idle_s < _IDLE_S:
            raise AssertionError(f"both sides agree; something was written {idle_s:.0f} s ago")
        return True

    try:
        await wait_until_async(agreed, patience_s, every_s=_EVERY_S)
    except WaitedTooLong as late:
        wrong.append(str(late))
    return Rest(time.time(), time.time() - began_s, wrong)


async def disagreement(stage: Stage, people: People) -> list[str]:
    """Say in what both sides do not agree now."""
    try:
        problems = await _not_ready(people)
        clusters = await dumps(people)
    except (ApiError, Unreachable, TimeoutError) as error:
        return [f"cannot be told: {error}"]
    rows = await asyncio.to_thread(stage.tap.rows)
    return problems + [str(one) for one in check(snapshot(stage.targets, rows, clusters), LIMITS)]


async def dumps(people: People) -> dict[str, Dump]:
    """Return what there is in each cluster."""
    found: dict[str, Dump] = {}
    for host in HOSTS:
        found[host] = {resource: objects for resource, objects, _ in await dump(people.at(host))}
    return found


async def _not_ready(people: People) -> list[str]:
    problems = []
    for target in (await people.above(ROOT).list(SYNC_TARGETS))[0]:
        status = target.get("status") or {}
        conditions = {one["type"]: one for one in status.get("conditions") or ()}
        if (conditions.get("Ready") or {}).get("status") != "True":
            problems.append(f"{target['metadata']['name']} is not Ready: {conditions.get('Ready')}")
        if (status.get("heldDeletions") or {}).get("digest"):
            problems.append(f"{target['metadata']['name']} holds deletions")
    return problems
