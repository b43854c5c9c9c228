"""An agent killed at every one of its steps (F23): both sides converge, nothing twice, nothing left over."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable

from fairlead_api import JsonObject
from fairlead_machinery import failpoints
from tests.integration.syncer.faults.stage import Stage, deployment
from tests.integration.syncer.joined import SYNC_TIMEOUT_S
from tests.support.waiting import POLL_EVERY_S

MOST_ROUNDS = 4
MAPS = "/api/v1/namespaces/f23/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/f23/deployments"


class _Lives:
    """Lives of an agent, each armed with every step at which none has died so far."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._log = stage.folder / "agent.log"
        self._read = self._log.stat().st_size
        self.died_at: list[str] = []

    def begin(self) -> None:
        """Start the next life."""
        left = sorted(failpoints.SYNCER - set(self.died_at))
        self._stage.restart_agent(FAIRLEAD_FAILPOINTS=",".join(f"{name}=kill" for name in left))

    def until(self, condition: Callable[[], object]) -> None:
        """Live until something is true, dying as often as that takes."""
        deadline_s = time.monotonic() + SYNC_TIMEOUT_S
        while not condition():
            agent = self._stage.agent
            assert agent is not None
            if agent.return_code is not None:
                self._bury(agent.return_code)
                deadline_s = time.monotonic() + SYNC_TIMEOUT_S
            assert time.monotonic() < deadline_s, f"did not converge after dying at {self.died_at}"
            time.sleep(POLL_EVERY_S)

    def _bury(self, code: int) -> None:
        text = self._log.read_bytes()[self._read :].decode()
        self._read += len(text.encode())
        assert code == -signal.SIGKILL, text
        found = re.findall(r"^failpoint (\S+)$", text, re.MULTILINE)
        assert len(found) == 1, text
        self.died_at.append(found[0])
        self.begin()


def _created_once(stage: Stage, resource: str, name: str) -> bool:
    """Tell whether exactly one of the agent's attempts to make an object was taken."""
    events = stage.events_of(resource, name, "create")
    return [event["responseStatus"]["code"] for event in events].count(201) == 1


def _live(stage: Stage, lives: _Lives) -> None:
    """Have a namespace with objects made, changed, deleted, and gone."""
    home = stage.home("f23")
    below = f"/apis/apps/v1/namespaces/{home}/deployments/web"
    lives.begin()
    stage.make_namespace("f23")
    stage.write("one", "1", "f23")
    stage.write("two", "1", "f23")
    stage.team.ok("POST", DEPLOYMENTS, deployment("web"))
    lives.until(lambda: stage.down_map("one", "f23") and stage.down_map("two", "f23") and stage.down.get(below))
    lives.until(lambda: stage.progress("f23").get("applied") == stage.progress("f23").get("objects", 0) >= 4)
    uids = {name: (stage.down_map(name, "f23") or {})["metadata"]["uid"] for name in ("one", "two")}
    stage.write("one", "2", "f23")
    stage.team.merge(f"{DEPLOYMENTS}/web", deployment("web", "web:2"))
    lives.until(lambda: ((stage.down_map("one", "f23") or {}).get("data") or {}).get("k") == "2")
    lives.until(lambda: _image(stage.down.get(below)) == "web:2")
    assert {name: (stage.down_map(name, "f23") or {})["metadata"]["uid"] for name in uids} == uids
    stage.may_delete = {"configmaps/one", "configmaps/two", "deployments/web", f"namespaces/{home}"}
    stage.may_delete |= {"configmaps/kcp-root-ca.crt", "secrets/kcp-token-default"}
    stage.team.ok("DELETE", f"{MAPS}/one")
    lives.until(lambda: stage.down_map("one", "f23") is None)
    assert stage.down_map("two", "f23") is not None
    stage.team.ok("DELETE", "/api/v1/namespaces/f23")
    lives.until(lambda: stage.team.get("/api/v1/namespaces/f23") is None)
    stage.forget("f23")
    lives.until(lambda: stage.down.get(f"/api/v1/namespaces/{home}") is None)


def _image(deployed: JsonObject | None) -> str:
    return str((deployed or {}).get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])[0]["image"])


def test_f23_killed_at_every_step(stage: Stage) -> None:
    """Each failpoint kills an agent once; in the end each object was made once, and nothing is left of it."""
    lives = _Lives(stage)
    for _ in range(MOST_ROUNDS):  # where several were under way, a death may have been at the step of another
        stage.began = stage.audited()
        _live(stage, lives)
        for resource, name in (("configmaps", "one"), ("configmaps", "two"), ("deployments", "web")):
            assert _created_once(stage, resource, name)
        assert _created_once(stage, "namespaces", stage.home("f23"))
        if set(lives.died_at) == failpoints.SYNCER:
            break
    assert sorted(lives.died_at) == sorted(failpoints.SYNCER)
