"""What runs and speaks to a simulated cluster: its server and player in one process, and its nodes' marks."""

from __future__ import annotations

import asyncio
import socket
from importlib import import_module
from urllib.parse import urlsplit

from fairlead_cli.labs import READY, Lab, LabSpec
from fairlead_machinery import kubeconfig, log
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.component import Program

_NODES = Gvr("", "v1", "nodes")


async def play(spec: LabSpec, lab: Lab) -> None:
    """Serve and play one cluster until SIGTERM."""
    log.configure("info", as_json=True)
    server = import_module("fairlead_control_plane.main.server")
    settings = import_module("fairlead_control_plane.main.settings")
    player = import_module("fairlead_lab.player")
    wanted = settings.Settings(root_directory=lab.path, profile="cluster", secure_port=_port(lab), is_simulated=True)
    behaviour = import_module("fairlead_lab.settings").LabSettings(
        spec.name, region=spec.region, nodes=spec.nodes, ready_after_s=spec.ready_after_s
    )
    async with Program() as program:
        running = await program.enter(server.serve(wanted))
        credentials = kubeconfig.load([running.kubeconfig], explicit=True).credentials()
        client = await program.enter(Client(credentials, user_agent="fairlead-lab"))
        played = player.Player(client, behaviour)
        program.spawn("player", played.run())
        program.spawn("server", running.until(asyncio.Event()))
        await played.ready.wait()
        (lab.path / READY).touch()
        await program.run()


def _port(lab: Lab) -> int:
    """Return the port it had, as kubeconfigs elsewhere say; 0, any, when it is new or the port is taken by now."""
    if not lab.kubeconfig.exists():
        return 0
    port = urlsplit(kubeconfig.load([lab.kubeconfig], explicit=True).credentials().server).port or 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


async def mark_node(lab: Lab, node: str, *, failed: bool) -> None:
    """
    Let a node play dead, or end that.

    Raises:
        NotFound: There is no such node.
    """
    mark = import_module("fairlead_lab.settings").FAILED
    credentials = kubeconfig.load([lab.kubeconfig], explicit=True).credentials()
    async with Client(credentials, user_agent="fairlead-lab") as client:
        await client.patch(_NODES, node, {"metadata": {"annotations": {mark: "true" if failed else None}}})
