"""The first start of an agent: what passes is waited for, what the control plane refuses ends it with a word."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import looptime
import orjson
import pytest

from fairlead_api.errors import ApiError, Cause, Forbidden, Unauthorized, from_status
from fairlead_machinery.client import REQUEST_TIMEOUT_S, Answer, Client, Query, Unreachable
from fairlead_machinery.kubeconfig import Credentials
from fairlead_syncer.clock import ServerClock
from fairlead_syncer.identity import Identity, NotLetIn, TargetGone

TOKEN = orjson.dumps({"token": "t", "expiresInSeconds": 3600})
PASSING: list[Exception] = [
    Unreachable("connection reset"),
    from_status(429, {"kind": "Status", "reason": "TooManyRequests", "details": {"retryAfterSeconds": 1}}),
    from_status(500, {}),
    from_status(503, {"kind": "Status", "reason": "ServiceUnavailable"}),
    from_status(404, {}),
    from_status(403, {}),
    from_status(401, {}),
    from_status(409, {"kind": "Status", "reason": "Conflict"}),
    ValueError("half an answer"),
]


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main)


class Door(Client):
    """The control plane's door; ``answers`` to enrolling come first, then it lets in."""

    def __init__(self, answers: list[Exception]) -> None:
        super().__init__(Credentials("https://plane"))
        self.answers = answers
        self.asked_s: list[float] = []

    async def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Answer:
        self.judge(path, headers or {})
        return Answer(200, {}, TOKEN)

    def judge(self, path: str, headers: Mapping[str, str]) -> None:
        """Raise what refuses a request."""
        del headers
        if path.endswith("/enroll"):
            self.asked_s.append(asyncio.get_running_loop().time())
            if self.answers:
                raise self.answers.pop(0)


class Clock(ServerClock):
    """Right from the start."""

    async def learn(self) -> bool:
        return False


def identity(folder: Path, answers: list[Exception]) -> tuple[Identity, Door]:
    door = Door(answers)
    made = Identity(folder, door, "/p", Clock(door, "control plane", lambda: 0.0), jitter=lambda: 0.0)
    made.bootstrap = "b"
    return made, door


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_passes_does_not_end_the_first_start(tmp_path: Path, error: Exception) -> None:
    """No answer, a refusal for now, and whatever the control plane itself has not said."""

    async def main() -> None:
        one, door = identity(tmp_path, [error] * 3)
        task = asyncio.create_task(one.run())
        async with asyncio.timeout(120):
            await one.ready.wait()
        assert (len(door.asked_s), one.bootstrap) == (4, "")
        task.cancel()
        await asyncio.wait([task])

    run(main())


def test_tries_grow_apart_and_keep_what_was_asked(tmp_path: Path) -> None:
    """Twice as long each time, up to half a minute; a ``Retry-After`` is the least."""

    async def main() -> None:
        later = from_status(429, {"kind": "Status", "details": {"retryAfterSeconds": 100}})
        one, door = identity(tmp_path, [Unreachable("away")] * 6 + [later])
        task = asyncio.create_task(one.run())
        await one.ready.wait()
        pauses = [round(later - sooner) for sooner, later in zip(door.asked_s, door.asked_s[1:], strict=False)]
        assert pauses == [2, 4, 8, 16, 30, 30, 100]
        task.cancel()
        await asyncio.wait([task])

    run(main())


def test_nobody_hurries_what_is_refused(tmp_path: Path) -> None:
    """Each refused request of an agent whose token is over asks for a new one; the pauses are kept all the same."""

    async def main() -> None:
        one, door = identity(tmp_path, [Unreachable("away")] * 5)

        async def hurry() -> None:
            while True:
                one.renew_now()
                await asyncio.sleep(0.1)

        tasks = [asyncio.create_task(one.run()), asyncio.create_task(hurry())]
        await one.ready.wait()
        pauses = [round(later - sooner) for sooner, later in zip(door.asked_s, door.asked_s[1:], strict=False)]
        assert pauses == [2, 4, 8, 16, 30]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    run(main())


@pytest.mark.parametrize("error", [Forbidden("it has been used"), Unauthorized("no proof")], ids=str)
def test_a_refusal_of_the_control_plane_ends_it_with_a_word(tmp_path: Path, error: ApiError) -> None:
    """Told in one line that says why; nothing is asked again."""

    async def main() -> None:
        one, door = identity(tmp_path, [error])
        with pytest.raises(NotLetIn, match=f"does not let this agent in: {error}"):
            await one.run()
        assert len(door.asked_s) == 1

    run(main())


def test_a_synctarget_of_another_uid_ends_it(tmp_path: Path) -> None:
    async def main() -> None:
        one, _ = identity(tmp_path, [Forbidden("gone", causes=[Cause("SyncTargetGone", "gone")])])
        with pytest.raises(TargetGone):
            await one.run()

    run(main())


@pytest.mark.parametrize(("error", "left"), [(Forbidden("used"), ""), (Unreachable("away"), "b")], ids=str)
def test_an_agent_that_had_a_token_goes_on(tmp_path: Path, error: Exception, left: str) -> None:
    """Its key is pinned already; only a refusal makes the bootstrap token worthless."""

    async def main() -> None:
        (tmp_path / "token").write_text("old")
        one, _ = identity(tmp_path, [error])
        await one.renew()
        assert one.ready.is_set()
        assert one.bootstrap == left

    run(main())


class Restored(Door):
    """A control plane from before a key rotation: it takes no proof until the agent has come in anew."""

    def __init__(self) -> None:
        super().__init__([])
        self.taken = {"b1"}
        self.invited: list[str] = []
        self.is_pinned = False

    def judge(self, path: str, headers: Mapping[str, str]) -> None:
        """Raise what refuses a request."""
        if path.endswith("/enroll"):
            self.invited.append(headers["Authorization"].removeprefix("Bearer "))
            if self.invited[-1] in self.taken:
                raise Forbidden("it has been used")
            self.is_pinned = True
        elif not self.is_pinned:
            raise Unauthorized("the proof is not valid for this key and address")


def test_an_agent_that_is_shut_out_comes_in_by_what_it_is_given_meanwhile(tmp_path: Path) -> None:
    """Each bootstrap token is tried once; while there is no other the refusal names what to do."""

    async def main() -> None:
        (tmp_path / "token").write_text("old")
        door = Restored()
        clock = Clock(door, "control plane", lambda: 0.0)
        one = Identity(tmp_path, door, "/services/syncer/root/east/u1", clock)
        one.bootstrap = given = "b1"
        one.invitation = lambda: given
        for _ in range(3):
            with pytest.raises(Unauthorized, match=r"not valid for this key and address; .* cluster join east"):
                await one.renew()
        assert door.invited == ["b1"]
        given = "b2"
        await one.renew()
        assert door.invited == ["b1", "b2"]
        assert one.ready.is_set()

    run(main())


def test_what_something_in_between_refuses_is_not_explained(tmp_path: Path) -> None:
    """Joining again mends nothing there."""

    class Between(Door):
        async def request(self, *_: Any, **__: Any) -> Answer:
            raise from_status(401, {})

    async def main() -> None:
        (tmp_path / "token").write_text("old")
        door = Between([])
        one = Identity(tmp_path, door, "/services/syncer/root/east/u1", Clock(door, "control plane", lambda: 0.0))
        with pytest.raises(Unauthorized, match=r"401$"):
            await one.renew()

    run(main())
