"""A workspace, a cluster and an agent for hostile users; a control plane alone for stolen agents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.integration.security.conftest import Room
from tests.integration.security.wire import Wire
from tests.integration.syncer.conftest import Between
from tests.integration.syncer.hostile.stolen import Agent
from tests.integration.syncer.joined import Joined
from tests.support.clusters import Cluster
from tests.support.servers import fairlead_server, make_workspace


@pytest.fixture(scope="module")
def tenant(kube_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """One for all tests of a module, which use names of their own and leave the namespace where it is."""
    with Between(kube_cluster, tmp_path_factory.mktemp("tenant")) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Plane:
    """A control plane with two workspaces, and agents of two SyncTargets in the first."""

    room: Room
    agents: dict[str, Agent] = field(default_factory=dict)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Agents ``east`` and ``west`` are enrolled; the namespace ``default`` of ``root:a`` runs on ``east`` alone."""
    with fairlead_server(tmp_path_factory.mktemp("plane"), "--no-scheduler") as server:
        for name in ("a", "a-b"):
            make_workspace(server, name, compute=True)
        made = Plane(Room(server, Wire.to(server)))
        for name in ("east", "west"):
            made.agents[name] = Agent.enrolled(made.room, name)
        made.agents["east"].run("default")
        yield made
