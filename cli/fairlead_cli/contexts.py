"""
Kubeconfig contexts for workspaces, with kcp's names and manners.

``workspace.kcp.io/current`` is where one is, ``workspace.kcp.io/previous`` where one was; what the user called
something stays as it is. Only files that own what changes are written, each replaced whole under a lock.

Source: kcp HEAD, ``kubectl ws`` (kcp-core 6.2, 6.3); client-go's rules for several files.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path

from fairlead_api import JsonObject
from fairlead_cli.failure import Failure
from fairlead_machinery import kubeconfig
from fairlead_machinery.kubeconfig import Kubeconfig

CURRENT, PREVIOUS = "workspace.kcp.io/current", "workspace.kcp.io/previous"


@dataclass(slots=True)
class Edits:
    """
    What is to change in a kubeconfig.

    Attributes:
        entries: New content by (section, name).
        current: The new current context; "" leaves it.
    """

    entries: dict[tuple[str, str], JsonObject] = field(default_factory=dict)
    current: str = ""

    def server(self) -> str:
        """Return the server of the new current context."""
        cluster = self.entries["contexts", self.current]["cluster"]
        return str(self.entries.get(("clusters", cluster), {}).get("server", ""))


def _context(config: Kubeconfig, name: str) -> JsonObject:
    found = config.find("contexts", name)
    if found is None:
        raise Failure(f'current "{name}" context not found')
    return copy.deepcopy(found[0])


def _cluster(config: Kubeconfig, name: str, *, owner: Path) -> JsonObject:
    """Return a copy of a cluster entry fit for another file: relative file names are made absolute."""
    found = config.find("clusters", name)
    if found is None:
        raise Failure(f'cluster "{name}" not found in kubeconfig')
    cluster, origin = copy.deepcopy(found[0]), found[1]
    authority = cluster.get("certificate-authority")
    if authority and origin.parent != owner.parent:
        cluster["certificate-authority"] = str((origin.parent / authority).resolve())
    return cluster


def owner_of(config: Kubeconfig, context: str) -> Path:
    """
    Return the file that owns a context.

    Raises:
        Failure: No file has it.
    """
    found = config.find("contexts", context)
    if found is None:
        raise Failure(f'current "{context}" context not found')
    return found[1]


def enter(config: Kubeconfig, context: str, server: str) -> Edits:
    """
    Make the current context point to ``server``, and the previous one to where one was.

    The first time, the previous context keeps pointing to the user's own cluster entry.

    Raises:
        Failure: Context or cluster is missing.
    """
    was = _context(config, context)
    owner = owner_of(config, context)
    old = _cluster(config, was.get("cluster", ""), owner=owner)
    edits = Edits(current=CURRENT)
    edits.entries["clusters", CURRENT] = {**old, "server": server}
    edits.entries["contexts", CURRENT] = {**was, "cluster": CURRENT}
    if was.get("cluster") == CURRENT:
        was = {**was, "cluster": PREVIOUS}
        edits.entries["clusters", PREVIOUS] = old
    edits.entries["contexts", PREVIOUS] = was
    return edits


def swap(config: Kubeconfig, context: str) -> Edits:
    """
    Exchange the current and the previous context.

    Raises:
        Failure: There is no previous one, or a cluster is missing.
    """
    was, found = _context(config, context), config.find("contexts", PREVIOUS)
    if found is None:
        raise Failure("no previous workspace found in kubeconfig")
    back, owner = copy.deepcopy(found[0]), owner_of(config, context)
    edits = Edits(current=CURRENT)
    returned = _cluster(config, back.get("cluster", ""), owner=owner)
    if was.get("cluster") == CURRENT:
        edits.entries["clusters", PREVIOUS] = _cluster(config, CURRENT, owner=owner)
        was["cluster"] = PREVIOUS
    if back.get("cluster") == PREVIOUS:
        edits.entries["clusters", CURRENT] = returned
        back["cluster"] = CURRENT
    else:
        edits.entries["clusters", back["cluster"]] = returned
    edits.entries["contexts", CURRENT], edits.entries["contexts", PREVIOUS] = back, was
    return edits


def new_context(config: Kubeconfig, context: str, name: str, server: str) -> Edits:
    """Return a copy of a context under another name and with another server, made the current one."""
    was = _context(config, context)
    cluster = _cluster(config, was.get("cluster", ""), owner=owner_of(config, context))
    edits = Edits(current=name)
    edits.entries["clusters", name] = {**cluster, "server": server}
    edits.entries["contexts", name] = {**was, "cluster": name}
    return edits


def save(config: Kubeconfig, context: str, edits: Edits) -> None:
    """
    Write edits: an entry to the file that has it, a new one to the owner of the context they were made from.

    Raises:
        KubeconfigError: A file cannot be written.
    """
    owner = owner_of(config, context)
    by_file: dict[Path, dict[tuple[str, str], JsonObject]] = {}
    for (section, name), content in edits.entries.items():
        found = config.find(section, name)
        by_file.setdefault(found[1] if found else owner, {})[section, name] = content
    naming = next((file.path for file in config.files if file.body.get("current-context")), owner)
    if edits.current:
        by_file.setdefault(naming, {})
    # The file that names the current context last: it must not name what is not there yet.
    for path in sorted(by_file, key=lambda one: one == naming):
        _write(path, by_file[path], edits.current if path == naming else "")


def _write(path: Path, entries: dict[tuple[str, str], JsonObject], current: str) -> None:
    def change(body: JsonObject) -> None:
        for (section, name), content in entries.items():
            kubeconfig.put(body, section, name, content)
        if current:
            body["current-context"] = current

    kubeconfig.update(path, change)
