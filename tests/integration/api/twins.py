"""A server of ours and a real kube-apiserver, to be asked the same."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.security.wire import Wire
from tests.support import process_cluster, processes
from tests.support.servers import fairlead_server


@contextmanager
def twins(name: str, *, keeps_house: bool = False) -> Iterator[tuple[Wire, Wire]]:
    """
    Start both; ours with all of Kubernetes' kinds.

    Args:
        name: Of a folder that is not there yet.
        keeps_house: Whether Kubernetes has the controllers that our server has within.
    """
    folder = processes.run_directory() / name
    cluster = process_cluster.start_api(name.replace("_", "-"), folder / "cluster")
    try:
        if keeps_house:
            cluster.launch_housekeeping()
        with fairlead_server(folder, "--no-scheduler", "--profile=cluster") as server:
            tls = ssl.create_default_context(cafile=str(cluster.certificate_authority))
            yield Wire.to(server), Wire(cluster.server, cluster.token, tls)
    finally:
        cluster.stop()
