"""How often an agent speaks while nobody hears it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import looptime
import pytest

from fairlead_machinery.client import Gvr
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.heartbeat import Heartbeat
from tests.support.rights import granted


class _Nothing:
    """Has nothing to tell."""

    def __init__(self) -> None:
        self.news = asyncio.Event()


class _Alone(Heartbeat):
    """Speaks to nobody some times, then is heard."""

    def __init__(self, failures: int) -> None:
        none = cast(Any, None)
        nothing = cast(Deletions, _Nothing())
        super().__init__(none, none, none, nothing, refused=none, enforce=none, rights=none)
        self.left = failures
        self.spoke_s: list[float] = []

    async def beat(self) -> float:
        self.spoke_s.append(asyncio.get_running_loop().time())
        self.left -= 1
        if self.left >= 0:
            raise Unreachable("away")
        return 60.0


def test_tries_grow_apart_until_it_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to ten seconds: a thousand agents are no load for a control plane that is away; then all begins anew."""
    monkeypatch.setattr("random.random", lambda: 0.5)

    async def main() -> None:
        one = _Alone(6)
        task = asyncio.create_task(one.run())
        await asyncio.sleep(150)
        task.cancel()
        await asyncio.wait([task])
        pauses = [round(later - sooner) for sooner, later in zip(one.spoke_s, one.spoke_s[1:], strict=False)]
        assert pauses == [1, 2, 4, 8, 10, 10, 60]

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())


def test_what_may_not_be_seen_is_said_of_the_rights() -> None:
    """A kind that came after the join: a namespace that must go cannot, and the one condition of rights says so."""
    none, rights = cast(Any, None), granted()
    one = Heartbeat(none, none, none, none, refused=none, enforce=none, rights=rights)
    assert one._authorized([]) == {"status": "True"}
    rights.unseen["kcp-a"] = ["gadgets.example.com"]
    said = one._authorized([])
    assert (said["status"], said["reason"]) == ("False", "SyncerUnauthorized")
    assert said["message"] == (
        "the agent may not list gadgets.example.com, so whether namespaces that must go (1: kcp-a) are empty "
        "cannot be seen: run 'kubectl fairlead cluster join' again"
    )
    assert one._authorized([Gvr("", "v1", "secrets")])["message"].startswith("the agent may not write: ")
