"""Which SyncTarget this agent serves: names downstream, and marks that only it can make."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from fairlead_api.names import Locator, downstream_namespace, sync_target_key, tenant_id
from fairlead_transforms.podtemplate import PodContext


class Key(NamedTuple):
    """One upstream object: what both sides are matched by. ``namespace`` is "" for a namespace itself."""

    group: str
    resource: str
    cluster: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class SyncTarget:
    """
    The SyncTarget and how the workspace's API is reached from its pods.

    Attributes:
        cluster, name, uid: Identity; ``cluster`` is the logical cluster it is registered in.
        api_host, api_port: Of the control plane's external URL.
        secret: Known to this agent alone; proofs are made with it.
    """

    cluster: str
    name: str
    uid: str
    api_host: str
    api_port: str
    secret: bytes
    homes: dict[tuple[str, str], str] = field(default_factory=dict, compare=False, repr=False)
    """Downstream namespaces that were handed over to this agent, by (cluster, namespace); others follow from names."""

    @property
    def key(self) -> str:
        """Return the SyncTargetKey."""
        return sync_target_key(self.cluster, self.name)

    def locator(self, cluster: str, namespace: str) -> Locator:
        """Return the locator of a workspace's namespace on this target."""
        return Locator(self.cluster, self.name, self.uid, cluster, namespace)

    def namespace(self, cluster: str, namespace: str) -> str:
        """Return the downstream namespace of a workspace's namespace."""
        return self.homes.get((cluster, namespace)) or _namespace(self, cluster, namespace)

    def tenant(self, cluster: str) -> str:
        """Return the tenant id of a workspace on this target."""
        return tenant_id(self.locator(cluster, ""))

    def pods(self, namespace: str) -> PodContext:
        """Return what pods of an upstream namespace are told."""
        return PodContext(self.api_host, self.api_port, namespace, self.key)

    def proof(self, key: Key, row: str, recorded: str) -> str:
        """
        Return the mark for one name, one view row and what the row said was made for it when this was made.

        Nobody without the agent's key can make it, so an object that carries it was made by us even when the report
        of its making was lost. Once a making has been reported, or its row is gone, the mark is worth nothing any
        more: an object that somebody restored with it, from a backup say, has another uid and is foreign.
        """
        text = "\0".join([*key, row, recorded, self.uid])
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()[:40]

    def seal(self, name: str, uid: str) -> str:
        """Return the mark for the very namespace with that uid: what bears a copy of it has another."""
        text = f"namespace\0{name}\0{uid}\0{self.uid}"
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()[:40]

    def namespace_proof(self, name: str) -> str:
        """Return the mark for a rule in a downstream namespace, ``namespace/plural``, which goes with that."""
        return hmac.new(self.secret, f"namespace\0{name}\0{self.uid}".encode(), hashlib.sha256).hexdigest()[:40]


@lru_cache(maxsize=4096)
def _namespace(target: SyncTarget, cluster: str, namespace: str) -> str:
    """Hash the locator once: every object of a namespace is put there several times."""
    return downstream_namespace(target.locator(cluster, namespace))
