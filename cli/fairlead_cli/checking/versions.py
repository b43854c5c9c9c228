"""Which versions go together. Pure."""

from __future__ import annotations

import re

from fairlead_cli.checking.model import Finding, Level

MINORS_BEHIND = 2
"""How many minor versions an agent or a command line may be behind its server."""
OLDEST_KUBERNETES, NEWEST_KUBERNETES = (1, 30), (1, 36)
"""The oldest has ValidatingAdmissionPolicy v1, which holds agents to what is theirs; the newest is what tests run."""

Version = tuple[int, int]


def minor_of(text: str) -> Version | None:
    """Return major and minor of a version such as ``v1.36.3+fairlead-0.1.0`` or ``1.36+``; None when it is none."""
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def fairlead_of(git_version: str) -> str:
    """Return Fairlead's own version in a ``gitVersion``; "" for another server's."""
    found = re.search(r"\+fairlead(?:-lab)?-(.+)$", git_version)
    return found[1] if found else ""


def skew(part: str, its: str, server: str, fix: str) -> Finding | None:
    """
    Compare a part's version with its server's: the same minor is well, up to two behind a warning, else an error.

    Args:
        part: What it is, for people.
        its: Its version.
        server: The server's version.
        fix: What to do.
    """
    mine, theirs = minor_of(its), minor_of(server)
    if mine is None or theirs is None:
        return Finding(f"{part} has version {its or '<unknown>'}, the control plane {server or '<unknown>'}", fix)
    if mine == theirs:
        return None
    text = f"{part} has version {its}, the control plane {server}"
    if mine > theirs:
        return Finding(f"{text}: the control plane has to be upgraded first", "upgrade the control plane", Level.ERROR)
    behind = theirs[1] - mine[1] if mine[0] == theirs[0] else MINORS_BEHIND + 1
    if behind > MINORS_BEHIND:
        return Finding(f"{text}: more than {MINORS_BEHIND} minor versions behind", fix, Level.ERROR)
    return Finding(f"{text}: {behind} minor version{'s'[: behind > 1]} behind", fix, Level.WARNING)


def kubernetes(git_version: str) -> Finding | None:
    """Compare a cluster's Kubernetes version with what is supported."""
    found = minor_of(git_version)
    if found is None:
        return Finding(f'the cluster says its version is "{git_version}"', level=Level.WARNING)
    oldest, newest = ".".join(map(str, OLDEST_KUBERNETES)), ".".join(map(str, NEWEST_KUBERNETES))
    text = f"the cluster runs {git_version}; supported are {oldest} to {newest}"
    if found < OLDEST_KUBERNETES:
        return Finding(text, f"upgrade the cluster to {oldest} or later", Level.ERROR)
    return Finding(text, level=Level.WARNING) if found > NEWEST_KUBERNETES else None
