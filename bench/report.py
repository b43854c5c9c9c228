"""The report: one JSON document and the same as lines on the terminal."""

from __future__ import annotations

import os
import platform
import statistics
from importlib.metadata import version
from pathlib import Path

from bench.rows import Row
from fairlead_api import JsonObject
from tests.support import binaries


def machine() -> JsonObject:
    """Describe what the numbers were taken on; ``load`` tells whether it was busy with something else."""
    model = memory_kib = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal"):
            memory_kib = line.split()[1]
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory_kib or 0) / 1024**2, 1),
        "system": platform.platform(),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def versions() -> JsonObject:
    """Return the versions of everything that took part."""
    return {
        "fairlead": version("fairlead"),
        "python": platform.python_version(),
        "kubernetes": binaries.KUBERNETES_VERSION,
        "etcd": binaries.ETCD_VERSION,
    }


def summary(values: list[float]) -> JsonObject | None:
    """Return median, least and greatest, or None when there is no value."""
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def entries(row: Row, ours: list[list[float]], reference: list[list[float]]) -> list[JsonObject]:
    """
    Turn the rounds of one row into its entries.

    Args:
        row: What was measured.
        ours: For each round its values, in the order of the row's names.
        reference: Likewise.
    """
    made = []
    for index, name in enumerate(row.names):
        mine, theirs = summary([each[index] for each in ours]), summary([each[index] for each in reference])
        ratio = None
        if mine and theirs and mine["median"] and theirs["median"]:
            quotient = mine["median"] / theirs["median"]
            ratio = quotient if row.higher_is_better[index] else 1 / quotient
        made.append(
            {
                "name": name,
                "unit": row.units[index],
                "ours": mine,
                "reference": theirs,
                "ratio": ratio,
                "aim": row.aims[index],
                "limit": row.limits[index],
            }
        )
    return made


def line(entry: JsonObject) -> str:
    """Return an entry for the terminal."""

    def shown(side: JsonObject | None) -> str:
        return f"{side['median']:>10,.4g} ({side['min']:,.4g} to {side['max']:,.4g})" if side else f"{'-':>10}"

    ratio = f"{entry['ratio']:.2f}x" if entry["ratio"] else "no ratio"
    aims = [f"{entry['aim']:g}x"] if entry["aim"] else []
    aims += [f"{entry['limit']:g} {entry['unit']}"] if entry["limit"] else []
    return (
        f"{entry['name']:14} {entry['unit']:11} ours {shown(entry['ours']):34} "
        f"reference {shown(entry['reference']):34} {ratio:>9} (aim {', '.join(aims)})"
    )
