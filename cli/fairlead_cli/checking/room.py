"""How much room the control plane's store has left, by its metrics. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fairlead_cli.checking.model import Finding, Level, not_verified

FREE_WARNING, FREE_ERROR = 0.15, 0.05
"""Share of the disk that is free; the log of a store grows by whole transactions, and others write there, too."""
PLENTY_BYTES = 20 << 30
"""So much is enough on a disk of any size."""
QUOTA_WARNING, QUOTA_ERROR = 0.80, 0.95
"""Share of etcd's quota that is taken; at 1 it refuses all writes until somebody lifts its alarm."""
_SAMPLE = re.compile(r"^fairlead_store_(\w+)_bytes (\S+)$", re.MULTILINE)


def sizes_of(metrics: str) -> dict[str, float]:
    """Return what the metrics say of the store: ``size``, ``quota``, ``disk`` and ``disk_free``, in bytes."""
    return {name: float(value) for name, value in _SAMPLE.findall(metrics)}


def finding(sizes: Mapping[str, float]) -> Finding | None:
    """Judge how much room there is."""
    if not sizes:
        return not_verified("the control plane does not say how large its store is", "upgrade the control plane")
    size, quota, disk, free = (sizes.get(name, 0.0) for name in ("size", "quota", "disk", "disk_free"))
    if quota and (level := _above(size / quota, QUOTA_WARNING, QUOTA_ERROR)):
        text = (
            f"etcd's database has {_mib(size)} of its quota of {_mib(quota)}: when that is full all writes are refused"
        )
        return Finding(text, "etcdctl defrag gives back what is free inside; else raise --quota-backend-bytes", level)
    if disk and free < PLENTY_BYTES and (level := _above(1 - free / disk, 1 - FREE_WARNING, 1 - FREE_ERROR)):
        text = f"{_mib(free)} of {_mib(disk)} are free where the store is, which takes {_mib(size)}"
        return Finding(text, "make room on that disk, or give the server's root directory a larger one", level)
    if not quota and not disk:
        return not_verified("the control plane does not say where its store is")
    return None


def _above(share: float, warning: float, error: float) -> Level | None:
    if share >= error:
        return Level.ERROR
    return Level.WARNING if share >= warning else None


def _mib(size: float) -> str:
    """Return a size for people."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
