"""Our server as a process, under real kubectl."""

from __future__ import annotations

import json

from tests.support.servers import FairleadServer


def test_objects_survive_a_crash(fairlead: FairleadServer) -> None:
    """What kubectl was told is stored is there after kill -9 and a start on the same address."""
    kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"answer": "42"}}
    fairlead.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(kept))
    fairlead.process.kill()
    fairlead.restart()
    found = json.loads(fairlead.kubectl("get", "configmap", "kept", "-o", "json"))
    assert found["data"] == {"answer": "42"}


def test_stops_when_asked(fairlead: FairleadServer) -> None:
    """SIGTERM ends it in order, with exit code 0 and within its grace."""
    assert fairlead.process.stop(grace_s=15) == 0
