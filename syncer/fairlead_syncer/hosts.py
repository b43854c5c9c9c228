"""
Whose a host is, among the Ingresses of the whole cluster: the tenant's, or the cluster's owner's, who had it first.

A controller merges the Ingresses of all namespaces by host, so a tenant who names another's host draws their traffic.
All Ingresses are watched for it, from the moment a workspace has one; only their hosts are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.reflector import Delta, Reflector
from fairlead_syncer.rules import Unfit
from fairlead_syncer.state import State
from fairlead_syncer.target import Key
from fairlead_transforms.denied import PolicyDenied
from fairlead_transforms.ingress_hosts import REST, claimed, meet

INGRESSES = Gvr("networking.k8s.io", "v1", "ingresses")


class HostsUnknown(Unfit):
    """Which hosts are taken cannot be seen, so none is given."""

    code, reason = 409, "PolicyNotEnforced"


@dataclass(frozen=True, slots=True)
class _Claim:
    """Of an Ingress in the cluster; ``since`` orders claims."""

    since: tuple[str, str]
    hosts: frozenset[str]


class Hosts:
    """Knows the hosts of a cluster; ``enqueue`` asks for a refused Ingress to be looked at again."""

    def __init__(self, state: State, cluster: Client, enqueue: Callable[[Key], None]) -> None:
        self._state = state
        self._enqueue = enqueue
        self._wanted = asyncio.Event()
        self._reflector = Reflector(cluster, INGRESSES, self._take_in)
        self._claims: dict[tuple[str, str], _Claim] = {}  # by namespace and name
        self._asked: dict[Key, frozenset[str]] = {}  # let in by us, whether the cluster has shown them yet or not
        self._waiting: set[Key] = set()

    async def run(self) -> None:
        """Watch until cancelled, once there is something to look for."""
        await self._wanted.wait()
        await self._reflector.run()

    def consider(self, key: Key, made: JsonObject) -> None:
        """Admit what is to be made, if it is an Ingress; see :meth:`admit`."""
        if (key.group, key.resource) == (INGRESSES.group, INGRESSES.resource):
            self.admit(key, made)

    def admit(self, key: Key, made: JsonObject) -> None:
        """
        Take note of what an Ingress claims, from now on for its workspace.

        Raises:
            PolicyDenied: Another has one of its hosts.
            HostsUnknown, Conflict: What is taken is not known, or not yet.
        """
        self._wanted.set()
        self._must_know()
        hosts = claimed(made)
        taken = next((host for host in sorted(hosts) if self._is_taken(key, host)), None)
        if taken is not None:
            self.release(key)
            self._waiting.add(key)
            what = f"the host {taken!r} is" if taken != REST else "all hosts that nobody names are"
            raise PolicyDenied(
                f"spec: {what} taken in the cluster by somebody else; a host with all its paths belongs to whoever had "
                "it first"
            )
        self._asked[key] = hosts
        self._waiting.discard(key)

    def release(self, key: Key) -> None:
        """Take note that an Ingress is not wanted, or was refused."""
        self._waiting.discard(key)
        if self._asked.pop(key, None) is not None:
            self._wake()

    def _must_know(self) -> None:
        reflector = self._reflector
        if reflector.last_error and not reflector.healthy:
            raise HostsUnknown(
                f"whether its hosts are another's cannot be seen: {reflector.last_error}; where the agent lacks the "
                f"right to list Ingresses, kubectl fairlead cluster join {self._state.target.name} renews its rights"
            )
        if not reflector.synced.is_set():
            raise Conflict("the cluster's Ingresses have not been read yet")

    def _is_taken(self, key: Key, host: str) -> bool:
        own = self._claims.get((self._state.target.namespace(key.cluster, key.namespace), key.name))
        has_since = own.since if own is not None and host in own.hosts else None
        for claim in self._claims_of_others(key.cluster):
            is_first = has_since is not None and has_since <= claim.since
            if not is_first and any(meet(host, other) for other in claim.hosts):
                return True
        asked = (hosts for other, hosts in self._asked.items() if other.cluster != key.cluster)
        return has_since is None and any(meet(host, other) for hosts in asked for other in hosts)

    def _claims_of_others(self, cluster: str) -> Iterator[_Claim]:
        for (namespace, _), claim in self._claims.items():
            if self._state.homes.get(namespace, ("", ""))[0] != cluster:
                yield claim

    def _take_in(self, delta: Delta) -> None:
        if delta.key is None:
            self._wake()
            return
        place = (delta.key.namespace, delta.key.name)
        before = self._claims.get(place)
        if delta.kind == "deleted" or delta.object is None:
            self._claims.pop(place, None)
        else:
            metadata = delta.object["metadata"]
            since = (str(metadata.get("creationTimestamp") or ""), str(metadata.get("uid") or ""))
            self._claims[place] = _Claim(since, claimed(delta.object))
        if before is not None and before != self._claims.get(place):
            self._wake()

    def _wake(self) -> None:
        """Have those looked at again that a host may be free for."""
        for key in sorted(self._waiting):
            self._enqueue(key)
