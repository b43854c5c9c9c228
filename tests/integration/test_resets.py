"""
Connections that are reset while TLS begins do no harm to anything else in the process.

Seen in a soak: under uvloop the descriptor of such a connection was closed twice, the second time when it was somebody
else's already. The child below would end with SIGABRT, or with an error that is no ``Unreachable``.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from fairlead_machinery.client import Client, Unreachable
from fairlead_machinery.kubeconfig import Credentials
from tests.support.chaos import chaos_link
from tests.support.processes import free_ports

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = 150


def test_a_reset_in_a_handshake_closes_nothing_else() -> None:
    """Requests fail as unreachable, each; files that were opened meanwhile stay open."""
    with chaos_link("127.0.0.1", free_ports(1)[0]) as link:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        done = subprocess.run(
            [sys.executable, __file__, str(link.port)],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stdout.split()) == (0, ["Unreachable", str(REQUESTS)]), done.stdout + done.stderr


async def _ask(port: int) -> None:
    """Ask on and on, and keep a file open from the time of each request."""
    found: Counter[str] = Counter()
    files = []
    async with Client(Credentials(f"https://127.0.0.1:{port}")) as client:
        for _ in range(REQUESTS):
            try:
                await client.request("GET", "/readyz", timeout_s=10)
            except Unreachable:
                found["Unreachable"] += 1
            except (RuntimeError, OSError) as error:
                found[repr(error)] += 1
            files.append(tempfile.TemporaryFile())  # noqa: SIM115 - open until the end
    for file in files:
        file.write(b"still mine")
        file.close()
    for text, count in found.items():
        print(text, count)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_ask(int(sys.argv[1])))
