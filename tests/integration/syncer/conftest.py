"""One workspace, one real API server, one agent between them as its own process, and a proxy that can lie to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.syncer.joined import Joined
from tests.support.certificates import make_authority
from tests.support.clusters import Cluster
from tests.support.proxy import fault_proxy
from tests.support.servers import fairlead_server

_numbers = itertools.count(1)


@pytest.fixture
def joined(request: pytest.FixtureRequest, kube_cluster: Cluster, tmp_path: Path) -> Iterator[Joined]:
    """
    A workspace whose namespace ``default`` runs in the shared cluster, which has an API and no controllers.

    Its parameter, if any, is ``wide`` or ``narrow``: what the agent may read, and how it watches.
    """
    with Between(kube_cluster, tmp_path, wide=getattr(request, "param", "narrow") == "wide") as made:
        yield made


@pytest.fixture
def joined_whole(start_clusters: Callable[[list[str]], list[Cluster]], tmp_path: Path) -> Iterator[Joined]:
    """The same with a whole cluster, in which Pods run."""
    [cluster] = start_clusters(["east"])
    with Between(cluster, tmp_path) as made:
        yield made


class Between:
    """Server, proxy and agent, ended in reverse order."""

    def __init__(self, cluster: Cluster, folder: Path, *, wide: bool = False) -> None:
        self._cluster = cluster
        self._wide = wide
        self._folder = folder

    def __enter__(self) -> Joined:
        self._server_context = fairlead_server(self._folder, "--no-scheduler")
        server = self._server_context.__enter__()
        authority = make_authority(self._folder)
        serving = authority.issue(self._folder, "proxy")
        self._proxy_context = fault_proxy(server.url, server.directory / "ca.crt", serving)
        proxy = self._proxy_context.__enter__()
        self._joined = Joined(server, self._cluster, proxy, authority.certificate, self._folder, next(_numbers))
        self._joined.wide = self._wide
        self._joined.join()
        return self._joined

    def __exit__(self, *_: object) -> None:
        try:
            self._joined.stop_agent()
        finally:
            self._proxy_context.__exit__(None, None, None)
            self._server_context.__exit__(None, None, None)
