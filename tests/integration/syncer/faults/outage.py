"""
``python -m tests.integration.syncer.faults.outage SECONDS WAY``: a long outage, in the virtual time of the simulation.

Both agents lose the control plane for so long; users go on writing. Prints what agents deleted and what is wrong, and
ends with 1 when there is anything; the process's clocks are replaced, so it is one of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation import clock

if TYPE_CHECKING:
    from tests.simulation.script import Deed
    from tests.simulation.world import World

SEED = 20


def main() -> int:
    """Run one outage."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.integration.syncer.faults.outage", *sys.argv[1:]])
    clock.install()
    wrong = _outage(float(sys.argv[1]), sys.argv[2])
    print("\n".join(wrong) or f"{sys.argv[1]} s {sys.argv[2]}: nothing deleted, all arrived")
    return bool(wrong)


def _outage(for_s: float, way: str) -> list[str]:
    import structlog  # noqa: PLC0415 - after the clocks have been replaced, as all of the product

    from tests.simulation import day  # noqa: PLC0415
    from tests.simulation.telling import history_of  # noqa: PLC0415
    from tests.simulation.world import World  # noqa: PLC0415
    from tests.support.checking.checker import check  # noqa: PLC0415
    from tests.support.checking.history import Written  # noqa: PLC0415

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[lambda *_: ""])
    day.install()
    begun, drained_s = day.base(), [0.0]
    with clock.seeded(SEED), tempfile.TemporaryDirectory() as folder:
        world = World(SEED, Path(folder), begun)
        day._network.append(world.network)
        clock.run(lambda: _live(world, for_s, way, drained_s), begun.at_s)
    records = history_of(world)
    wrong = [f"{one}" for one in check(records, day.LIMITS)]
    below = [one for one in records if isinstance(one, Written) and one.where and one.actor.startswith("agent:")]
    wrong += [f"deleted: {one}" for one in below if one.verb == "delete" and one.at_s > drained_s[0]]
    made = [one.name for one in below if one.verb == "create" and one.resource == "configmaps"]
    wrong += [f"made {made.count(name)} times: {name}" for name in ("a", "b") if made.count(name) != 1]
    wrong += [f"the agent of {host} ended: {text}" for host, text in world.endings()]
    return wrong


async def _live(world: World, for_s: float, way: str, drained_s: list[float]) -> None:
    from tests.simulation.network import PART, Faults  # noqa: PLC0415
    from tests.simulation.parts import PLANE  # noqa: PLC0415
    from tests.simulation.users import Users  # noqa: PLC0415

    await world.begin()
    PART.set("user")
    users = Users(world)
    await users.do(replace(_put(""), what="drain", host="west"))  # so that there is nowhere to go
    await asyncio.sleep(120)
    drained_s[0] = world.now_s
    await users.do(_put("a"))
    await asyncio.sleep(60)
    links = [world.network.link(target.part, PLANE) for target in world.targets.values()]
    world.worse(*world.targets)
    for link in links:
        link.set(Faults(down=way))
    await asyncio.sleep(for_s / 2)
    await users.do(_put("b"))
    await asyncio.sleep(for_s / 2)
    for link in links:
        link.set(Faults())
    world.better(*world.targets)
    await asyncio.sleep(600)
    world.settle()
    await asyncio.sleep(300)
    await world.end()


def _put(name: str) -> Deed:
    from tests.simulation.script import Deed  # noqa: PLC0415

    return Deed(0.0, "put", "", "team-a", "default", "configmaps", name, 1, 0.0)


if __name__ == "__main__":
    sys.exit(main())
