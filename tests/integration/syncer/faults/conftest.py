"""One set of processes for all fault cases; each test finds it whole and is judged at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.integration.syncer.faults.stage import Stage
from tests.support import process_cluster, processes
from tests.support.certificates import make_authority
from tests.support.chaos import chaos_link
from tests.support.proxy import FaultProxy, fault_proxy
from tests.support.servers import fairlead_server


def _port(proxy: FaultProxy) -> int:
    port = urlsplit(proxy.url).port
    assert port is not None, "made with one"
    return port


@pytest.fixture(scope="session")
def whole_stage() -> Iterator[Stage]:
    folder = processes.run_directory() / "faults"
    folder.mkdir()
    with ExitStack() as stack:
        cluster = process_cluster.start_api("faults", folder / "cluster")
        stack.callback(cluster.stop)
        cluster.launch_housekeeping()
        server = stack.enter_context(fairlead_server(folder, "--no-scheduler"))
        authority = make_authority(folder)
        serving = authority.issue(folder, "proxy")
        above = stack.enter_context(fault_proxy(server.url, server.directory / "ca.crt", serving))
        below = stack.enter_context(fault_proxy(cluster.server, cluster.certificate_authority, serving))
        up = stack.enter_context(chaos_link("127.0.0.1", _port(above)))
        down = stack.enter_context(chaos_link("127.0.0.1", _port(below)))
        made = Stage(
            server, cluster, above, authority.certificate, folder, 1,
            up=up, down_link=down, below=below, real=cluster,
        )  # fmt: skip
        stack.callback(made.stop_agent)
        made.join()
        yield made


@pytest.fixture
def stage(whole_stage: Stage) -> Iterator[Stage]:
    """Give the stage whole; afterwards nothing may have been deleted that the test did not name."""
    whole_stage.mend()
    whole_stage.may_delete = set()
    whole_stage.began = whole_stage.audited()
    yield whole_stage
    whole_stage.judge()
