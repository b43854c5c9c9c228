"""One attack on one server, measured."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, field

from bench.attacks.attack import Attack, Requests
from bench.attacks.ground import Ground, Refused, close
from bench.attacks.victim import Place, Seen, observe
from bench.client import BadAnswer, connect
from fairlead_api import JsonObject

IDLE_S = 1.5
ATTACK_S = 4.0
_PATIENCE_S = 45.0
"""How long an attacker waits for an answer; the connection is closed then, and the answer counts as 0."""


@dataclass(slots=True)
class Result:
    """
    What an attack did.

    Attributes:
        idle, attacked: What the others saw before and meanwhile; None when it could not be prepared.
        answers: How often each status was answered; 0 for none.
        longest_s: The attacker's longest wait for an answer.
        prepared_s: How long it took to make what the attack needs.
        refusal: Why it could not be prepared.
    """

    idle: Seen | None = None
    attacked: Seen | None = None
    answers: Counter[int] = field(default_factory=Counter)
    longest_s: float = 0.0
    prepared_s: float = 0.0
    refusal: str = ""
    said: str = ""

    def entry(self) -> JsonObject:
        """Return it for the report."""
        sides = {name: seen and _seen(seen) for name, seen in (("idle", self.idle), ("attacked", self.attacked))}
        answers = {str(code): count for code, count in sorted(self.answers.items())}
        rest = {"longest_s": round(self.longest_s, 2), "prepared_s": round(self.prepared_s, 2)}
        return {**sides, "answers": answers, **rest, "refusal": self.refusal, "said": self.said}


def _seen(seen: Seen) -> JsonObject:
    numbers = {"p50_ms": seen.p50_ms, "p99_ms": seen.p99_ms, "max_ms": seen.most_ms}
    return {**{name: round(value, 1) for name, value in numbers.items()}, "failed": seen.failed}


async def measure(attack: Attack, attacker: Ground, victim: Place, executor: Executor) -> Result:
    """Prepare an attack, and let the victim work before and during it."""
    result = Result()
    loop = asyncio.get_running_loop()
    began_s = time.perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            requests = await attack.prepare(attacker)
    except (Refused, BadAnswer, TimeoutError) as error:
        result.refusal = f"{type(error).__name__}: {error}"[:300]
        return result
    finally:
        result.prepared_s = time.perf_counter() - began_s
    result.idle = await loop.run_in_executor(executor, observe, victim, IDLE_S)
    watching = loop.run_in_executor(executor, observe, victim, ATTACK_S)
    await _attack(attack, attacker, requests, result)
    result.attacked = await watching
    return result


async def _attack(attack: Attack, attacker: Ground, requests: Requests, result: Result) -> None:
    until_s = time.perf_counter() + ATTACK_S
    numbers = iter(range(1 << 30))

    async def work() -> None:
        (connection,) = await connect(attacker.target, 1)
        try:
            while time.perf_counter() < until_s:
                request = requests(next(numbers))
                began_s = time.perf_counter()
                status = 0
                with contextlib.suppress(TimeoutError, BadAnswer):
                    async with asyncio.timeout(_PATIENCE_S):
                        status = await connection.send(request, keep=False)
                result.answers[status] += 1
                result.longest_s = max(result.longest_s, time.perf_counter() - began_s)
                if status >= 300 and not result.said:
                    result.said = connection.body[:200].decode(errors="replace")
                if status in (0, 413):  # who sent too much is cut off
                    close([connection])
                    (connection,) = await connect(attacker.target, 1)
        finally:
            connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(attack.connections):
            group.create_task(work())
