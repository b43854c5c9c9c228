"""
Built-in credentials and the kubeconfigs that carry them.

``admin.kubeconfig`` has kcp's contexts: ``root``, ``base``, ``system:admin``. The tokens live in ``tokens.json`` and
stay the same over restarts, so that copies of a kubeconfig go on working.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fairlead_api import JsonObject
from fairlead_api.request import User
from fairlead_control_plane.auth.authenticate import authenticated
from fairlead_control_plane.auth.bootstrap import ADMIN_GROUP
from fairlead_control_plane.main.files import write_private
from fairlead_machinery import kubeconfig
from fairlead_machinery.kubeconfig import KubeconfigError

MASTERS = "system:masters"
_NAMES = ("shard-admin", "kcp-admin", "scheduler")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Bearer tokens of the built-in users, by user name."""

    by_name: Mapping[str, str]

    def users(self, *, workspaces: bool) -> dict[str, User]:
        """Return who each token stands for; without workspaces there is nothing below a master to be."""
        groups = {
            "shard-admin": [MASTERS],
            "kcp-admin": [ADMIN_GROUP if workspaces else MASTERS],
            "scheduler": [MASTERS],
        }
        names = {"scheduler": "system:fairlead:scheduler"}
        return {token: authenticated(names.get(name, name), groups[name]) for name, token in self.by_name.items()}


def ensure_tokens(directory: Path) -> Tokens:
    """
    Read the built-in tokens; make those that are missing.

    Raises:
        OSError: The file cannot be read or written.
        ValueError: It is not what we wrote.
    """
    path = directory / "tokens.json"
    found: dict[str, str] = {}
    if path.exists():
        try:
            found = json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"{path} is damaged; remove it to get new tokens") from error
    if not all(isinstance(found.get(name), str) and found[name] for name in _NAMES):
        found = {name: found.get(name) or secrets.token_urlsafe(32) for name in _NAMES}
        write_private(path, json.dumps(found, indent=1).encode())
    return Tokens(found)


def write_admin_kubeconfig(directory: Path, url: str, ca: bytes, tokens: Tokens, *, workspaces: bool) -> Path:
    """
    Write ``admin.kubeconfig`` and return its path.

    One that says the same is left: users keep in it which workspace they are in, and contexts of their own.

    Raises:
        OSError: It cannot be written.
    """
    paths = {"root": "/clusters/root", "base": "", "system:admin": "/clusters/system:admin"}
    clusters = {name: url + (path if workspaces else "") for name, path in paths.items()}
    contexts = {
        "root": ("root", "kcp-admin"),
        "base": ("base", "kcp-admin"),
        "system:admin": ("system:admin", "shard-admin"),
    }
    users = {name: tokens.by_name[name] for name in ("kcp-admin", "shard-admin")}
    path = directory / "admin.kubeconfig"
    config = _kubeconfig(clusters, contexts, users, ca)
    if not _says(path, config):
        _write(path, config)
    return path


def write_scheduler_kubeconfig(directory: Path, local_url: str, ca: bytes, tokens: Tokens) -> None:
    """
    Write ``scheduler.kubeconfig``, for a process beside the server: it needs no name service and no load balancer.

    Raises:
        OSError: It cannot be written.
    """
    users = {"scheduler": tokens.by_name["scheduler"]}
    config = _kubeconfig({"base": local_url}, {"base": ("base", "scheduler")}, users, ca)
    _write(directory / "scheduler.kubeconfig", config)


def _kubeconfig(
    clusters: Mapping[str, str], contexts: Mapping[str, tuple[str, str]], users: Mapping[str, str], ca: bytes
) -> JsonObject:
    authority = base64.b64encode(ca).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": authority}}
            for name, server in clusters.items()
        ],
        "users": [{"name": name, "user": {"token": token}} for name, token in users.items()],
        "contexts": [
            {"name": name, "context": {"cluster": cluster, "user": user}} for name, (cluster, user) in contexts.items()
        ],
        "current-context": next(iter(contexts)),
        "preferences": {},
    }


def _write(path: Path, config: JsonObject) -> None:
    import yaml  # noqa: PLC0415 - only needed here, once a start

    write_private(path, yaml.safe_dump(config, sort_keys=False, encoding="utf-8"))


def _says(path: Path, config: JsonObject) -> bool:
    """Tell whether a file holds all of a kubeconfig's entries; one that nobody can read does not."""
    try:
        found = kubeconfig.load([path], explicit=True)
    except KubeconfigError:
        return False
    return all(
        found.find(section, entry["name"]) == (entry[kind], path)
        for section, kind in (("clusters", "cluster"), ("users", "user"), ("contexts", "context"))
        for entry in config[section]
    )
