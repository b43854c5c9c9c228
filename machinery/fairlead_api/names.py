"""
Names that others can compute too: cluster names and paths, hashes, and what objects are called downstream.

All of them are kcp's, to the letter, so that its users, plugins and old downstream namespaces keep working.

Source: kcp v0.11 pkg/syncer/shared, pkg/apis/workload, github.com/kcp-dev/logicalcluster v3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha224

from fairlead_api import JsonObject

_BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

ROOT = "root"
WILDCARD = "*"
SYSTEM_PREFIX = "system:"

_SEGMENT = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_CLUSTER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")
_PATH = re.compile(rf"{_SEGMENT}(:{_SEGMENT})*")
_HOME_PATH = re.compile(rf"user:[^:/%\s]+(:{_SEGMENT})*")

STATE_LABEL_PREFIX = "state.workload.kcp.io/"
DOWNSTREAM_CLUSTER_LABEL = "internal.workload.kcp.io/cluster"
SYNC_TARGET_KEY_LABEL = "internal.workload.kcp.io/key"
LOCATOR_ANNOTATION = "kcp.io/namespace-locator"
TENANT_LABEL = "kcp.io/tenant-id"
CLUSTER_ANNOTATION = "kcp.io/cluster"
PATH_ANNOTATION = "kcp.io/path"
EXPORT_LABEL = "internal.apis.kcp.io/export"
CLAIM_LABEL_PREFIX = "claimed.internal.apis.kcp.io/"
INITIALIZER_LABEL_PREFIX = "initializer.internal.kcp.io/"
UNCLAIMED_BINDING_VALUE = "LstvmbbzVDDOn90ZbhzSQO5U3DMCf88h1pZ"
"""Value of a claim label on an APIBinding to the export itself, when no claim covers bindings."""


# --- paths -----------------------------------------------------------------------------------------------------------


def valid_cluster_name(name: str) -> bool:
    """Tell whether this may name one logical cluster; ``system:`` names are one indivisible name."""
    if name.startswith(SYSTEM_PREFIX):
        return _PATH.fullmatch(name) is not None
    return _CLUSTER_NAME.fullmatch(name) is not None


def valid_path(path: str) -> bool:
    """Tell whether this may stand after ``/clusters/``: a path, a cluster name, a ``user:`` home, never ``*``."""
    return _PATH.fullmatch(path) is not None or _HOME_PATH.fullmatch(path) is not None


def split(path: str) -> tuple[str, ...]:
    """
    Split a path into its segments.

    ``system:`` names are one segment, and ``user:<name>`` (a home workspace) counts as one.
    """
    if path.startswith(SYSTEM_PREFIX):
        return (path,)
    segments = tuple(path.split(":")) if path else ()
    if segments[:1] == ("user",) and len(segments) > 1:
        return (f"user:{segments[1]}", *segments[2:])
    return segments


def join(*parts: str) -> str:
    """Join paths and segments; empty ones are left out."""
    return ":".join(part for part in parts if part)


def parent(path: str) -> str:
    """Return the path of the parent workspace, ``""`` for one that has none (``root``, a name, ``system:…``)."""
    return join(*split(path)[:-1])


def base_name(path: str) -> str:
    """Return the last segment: the workspace's own name."""
    segments = split(path)
    return segments[-1] if segments else ""


# --- hashes ----------------------------------------------------------------------------------------------------------


def _digits(data: bytes, base: int) -> str:
    """Write the bytes as one big-endian number, without leading zeros."""
    number = int.from_bytes(data, "big")
    digits = []
    while number:
        number, digit = divmod(number, base)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


def _padded36(data: bytes) -> str:
    """As base 36, with one ``0`` for each leading zero byte."""
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "0" * zeros + _digits(data, 36)


def base36_hash(text: str) -> str:
    """Return base 36 of the SHA-224 of ``text``."""
    return _digits(sha224(text.encode()).digest(), 36)


def base62_hash(text: str) -> str:
    """Return base 62 of the SHA-224 of ``text``."""
    return _digits(sha224(text.encode()).digest(), 62)


def sync_target_key(cluster: str, name: str) -> str:
    """Return the key that stands for a SyncTarget in labels; ``cluster`` is its logical cluster's name."""
    return base62_hash(f"{cluster}:{name}")


def new_cluster_name(random_bytes: bytes) -> str:
    """Return the name of a new logical cluster; the caller passes 32 random bytes and tries again on collision."""
    return _padded36(sha224(random_bytes).digest())[:16]


def home_cluster_name(user: str) -> str:
    """Return the name of a user's home logical cluster."""
    return _padded36(sha224(user.encode()).digest()[:8])


def shard_name_hash(shard: str) -> str:
    """Return what stands for a shard in annotations of Workspaces."""
    return _padded36(sha224(shard.encode()).digest())[:8]


def initializer_label(initializer: str) -> tuple[str, str]:
    """Return key and value of the label on what waits for an initializer: 35 hex digits name it, 56 are the value."""
    digest = sha224(initializer.encode()).hexdigest()
    return INITIALIZER_LABEL_PREFIX + digest[:35], digest


def export_label_value(cluster: str, export: str) -> str:
    """Return the value of ``internal.apis.kcp.io/export`` on bindings to that export."""
    return base62_hash(f"{cluster}:{export}")


def claim_label_key(cluster: str, export: str) -> str:
    """Return the key of the label on objects that an export claims."""
    return CLAIM_LABEL_PREFIX + export_label_value(cluster, export)


def claim_label_value(group: str, resource: str, identity: str = "") -> str:
    """Return the value of that label for one claim: a hash of the claim without verbs and selector."""
    claim: JsonObject = {"group": group} if group else {}
    claim |= {"resource": resource, "verbs": None}
    if identity:
        claim["identityHash"] = identity
    return base62_hash(_compact(claim))


# --- composed names --------------------------------------------------------------------------------------------------


def syncer_id(sync_target: str, uid: str) -> str:
    """Return what a syncer's namespace, service account, roles and Deployment are called downstream."""
    return f"kcp-syncer-{sync_target}-{base36_hash(uid)[:8]}"


def dns_id(sync_target: str, uid: str, workload_cluster: str) -> str:
    """Return what a tenant's DNS objects are called downstream."""
    return f"kcp-dns-{sync_target}-{base36_hash(uid)[:8]}-{base36_hash(workload_cluster)[:8]}"


def placement_default_name(namespace_selector: str, location_selectors: Sequence[str], location_workspace: str) -> str:
    """Return the name the command line gives a Placement; selectors are in their text form."""
    text = namespace_selector + ",".join(location_selectors) + location_workspace
    return f"placement-{base36_hash(text)[:8]}"


def apibinding_name(export: str, path: str) -> str:
    """Return the name the command line gives an APIBinding to ``export`` of the workspace ``path``."""
    return f"{export[:244]}-{base36_hash('/clusters/' + path)[:8]}"


def default_binding_name(cluster: str, path: str, export: str) -> str:
    """Return the name of a binding that a WorkspaceType makes; ``cluster`` is the consumer's."""
    return f"{export[:247]}-{base62_hash(f'{cluster}|{path}|{export}')[:5].lower()}"


def negotiated_schema_name(resource_version: str, plural: str, group: str) -> str:
    """Return the name of an APIResourceSchema made from a NegotiatedAPIResource of that resourceVersion."""
    return f"rev-{resource_version}.{plural}.{group or 'core'}"


# --- where a downstream namespace comes from -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Locator:
    """
    What a downstream namespace stands for; kept on it as JSON in ``kcp.io/namespace-locator``.

    Attributes:
        target_cluster, target_name, target_uid: The SyncTarget; its logical cluster may be empty.
        cluster: Logical cluster of the workspace the namespace is in.
        namespace: Its name upstream; empty for cluster-scoped objects and in :func:`tenant_id`.
    """

    target_cluster: str
    target_name: str
    target_uid: str
    cluster: str
    namespace: str

    def to_json(self) -> str:
        """Write the compact form that hashes are made of; the order of keys matters."""
        target: JsonObject = {"cluster": self.target_cluster} if self.target_cluster else {}
        target |= {"name": self.target_name, "uid": self.target_uid}
        body: JsonObject = {"syncTarget": target}
        if self.cluster:
            body["cluster"] = self.cluster
        body["namespace"] = self.namespace
        return _compact(body)

    @classmethod
    def from_json(cls, text: str) -> Locator:
        """
        Read an annotation's value, however it is spaced; ``path`` of kcp up to 0.6 is moved to ``cluster``.

        Raises:
            ValueError: It is no JSON object of that shape.
        """
        body = json.loads(text)
        target = body.get("syncTarget") if isinstance(body, dict) else None
        if not isinstance(target, dict):
            # What is wrong is a text; that its value has another type inside is no TypeError of the caller's.
            raise ValueError("a namespace locator needs the object syncTarget")  # noqa: TRY004 - see above
        fields = (
            target.get("cluster") or target.get("path") or "",
            target.get("name", ""),
            target.get("uid", ""),
            body.get("cluster", ""),
            body.get("namespace", ""),
        )
        if not all(isinstance(value, str) for value in fields):
            raise ValueError("every member of a namespace locator is a string")
        return cls(*fields)


def downstream_namespace(locator: Locator) -> str:
    """Return the name a new downstream namespace gets; one found by its locator keeps the name it has."""
    return "kcp-" + base36_hash(locator.to_json())[:12]


def tenant_id(locator: Locator) -> str:
    """Return the hash all namespaces of one workspace share on one SyncTarget."""
    return base62_hash(replace(locator, namespace="").to_json())


def _compact(value: JsonObject) -> str:
    """Encode as Go does: no spaces, and ``<``, ``>``, ``&`` escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
