"""A process that owns a store and serves it, to be killed; started from a fork server that has everything imported."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

from fairlead_control_plane.store.contract import Unavailable
from fairlead_control_plane.store.feed import FeedLimits
from fairlead_control_plane.store.remote import RemoteStore
from fairlead_control_plane.store.serving import serve_store
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_machinery import failpoints


def serve(folder: str, armed: str) -> None:
    """Serve ``folder/store.db`` at ``folder/socket`` until SIGTERM, or until a failpoint kills."""
    failpoints.arm(armed)
    asyncio.run(_serve(Path(folder)))


async def _serve(folder: Path) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    store = await SqliteStore.open(folder / "store.db")
    try:
        async with serve_store(store, folder / "socket"):
            await ended.wait()
    finally:
        await store.close()


class StoreProcess:
    """One after another, processes over the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._process: BaseProcess | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def start(self, armed: str = "") -> None:
        """Start a process, with failpoints; it serves a moment later."""
        process = self._context.Process(target=serve, args=(str(self.folder), armed), daemon=True)
        process.start()
        self._process = process

    def kill(self) -> None:
        """End it as a power cut would, as far as the process is concerned."""
        assert self._process is not None
        assert self._process.pid is not None
        if self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)
        self.join()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self.join()

    def join(self) -> int:
        """Wait for its end; return its exit code, negative for a signal."""
        assert self._process is not None
        self._process.join(10)
        code = self._process.exitcode
        assert code is not None, "the store process does not end"
        self._process.close()
        self._process = None
        return code

    async def connect(self, limits: FeedLimits | None = None) -> RemoteStore:
        """Open a client, waiting for the process to serve."""
        async with asyncio.timeout(10):
            while True:
                try:
                    return await RemoteStore.open(self.socket, limits)
                except Unavailable:
                    await asyncio.sleep(0.01)
