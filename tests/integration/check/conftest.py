"""An API server for these tests alone: what others leave in a shared one would be told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import process_cluster, processes
from tests.support.clusters import Cluster

_OURS = ("-l", "app.kubernetes.io/part-of=fairlead", "--wait=false")


@pytest.fixture(scope="session")
def api_server() -> Iterator[Cluster]:
    """Run a real API server without nodes or controllers."""
    cluster = process_cluster.start_api("check", processes.run_directory() / "check")
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(api_server: Cluster) -> Iterator[Cluster]:
    """Give that API server; what a test joined is taken out, but for namespaces, which nobody there finalizes."""
    yield api_server
    api_server.kubectl("delete", "namespaces,clusterroles,clusterrolebindings", *_OURS)
