"""A host belongs to whoever had it first: another tenant, or what the cluster's owner runs, keeps it (S63)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict, Forbidden
from fairlead_machinery.client import Event, Gvr
from fairlead_syncer.hosts import INGRESSES, Hosts, HostsUnknown
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.denied import PolicyDenied

TARGET = SyncTarget("root", "east", "t1", "host", "443", b"secret")
A = Key("networking.k8s.io", "ingresses", "tenant-a", "default", "web")
B = A._replace(cluster="tenant-b")


class Cluster:
    """Ingresses of all namespaces, streamed."""

    def __init__(self) -> None:
        self.there: list[JsonObject] = []
        self.stream: asyncio.Queue[Event] = asyncio.Queue()
        self.refusal: Exception | None = None

    async def list(self, gvr: Gvr, *, namespace: str = "", query: Any = None) -> tuple[list[JsonObject], str]:
        assert (gvr, namespace, query) == (INGRESSES, "", {})
        if self.refusal is not None:
            raise self.refusal
        return list(self.there), "1"

    async def watch(self, gvr: Gvr, **_: object) -> AsyncGenerator[Event, None]:
        assert gvr == INGRESSES
        while True:
            yield await self.stream.get()


class Room:
    """What keeps the hosts, with what it asked to be looked at again."""

    def __init__(self) -> None:
        self.cluster: Any = Cluster()
        self.state = State(TARGET)
        for key in (A, B):
            self.state.homes[TARGET.namespace(key.cluster, key.namespace)] = (key.cluster, key.namespace)
        self.asked: list[Key] = []
        source: Any = self.cluster
        self.hosts = Hosts(self.state, source, self.asked.append)
        self.task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Ask for a host, by which reading begins, and read."""
        self.task = asyncio.create_task(self.hosts.run())
        with pytest.raises(Conflict, match="not been read"):
            self.hosts.admit(A, wants("first.example"))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def tell(self, kind: str, key: Key | str, *hosts: str, created: str = "2026-01-02T00:00:00Z") -> None:
        """Let the cluster say that an Ingress is there, or is gone."""
        home = key if isinstance(key, str) else TARGET.namespace(key.cluster, key.namespace)
        metadata = {"name": "web", "namespace": home, "uid": home, "resourceVersion": "5", "creationTimestamp": created}
        self.cluster.stream.put_nowait(Event(kind, {**wants(*hosts), "metadata": metadata}))
        await self.settle()


def wants(*hosts: str) -> JsonObject:
    return {"metadata": {"name": "web"}, "spec": {"rules": [{"host": host} for host in hosts]}}


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    yield made
    if made.task is not None:
        made.task.cancel()
        await asyncio.wait([made.task])


async def test_s63_the_second_of_two_tenants_is_refused(room: Room) -> None:
    """Also when both ask before the cluster has either; paths make no difference, and a workspace may share its own."""
    await room.begin()
    room.hosts.admit(A, wants("shop.example"))
    for host in ("shop.example", "*.example", "Shop.example"):
        with pytest.raises(PolicyDenied, match="taken in the cluster by somebody else"):
            room.hosts.admit(B, wants("b.other", host))
    room.hosts.admit(B, wants("b.other"))
    room.hosts.admit(A._replace(namespace="two"), wants("shop.example"))
    await room.tell("ADDED", A, "shop.example")
    room.hosts.admit(A, wants("shop.example"))
    with pytest.raises(PolicyDenied, match=r"'shop\.example'"):
        room.hosts.admit(B, wants("shop.example"))


async def test_s63_what_the_clusters_owner_runs_keeps_its_host(room: Room) -> None:
    """In a namespace of no tenant; what answers for all other hosts can be had by one alone, too."""
    room.cluster.there = [{**wants("console.example"), "metadata": {"name": "web", "namespace": "kube-system"}}]
    await room.begin()
    with pytest.raises(PolicyDenied):
        room.hosts.admit(A, wants("console.example"))
    rest = {"metadata": {"name": "web"}, "spec": {"defaultBackend": {"service": {"name": "x"}}}}
    room.hosts.admit(A, rest)
    with pytest.raises(PolicyDenied, match="all hosts that nobody names"):
        room.hosts.admit(B, {"metadata": {"name": "web"}, "spec": {"rules": [{}]}})
    room.hosts.admit(B, wants("other.example"))


async def test_s63_the_first_keeps_it_when_both_are_there(room: Room) -> None:
    """By the cluster's own time: what a cluster's owner, or another agent, made later takes nothing from a tenant."""
    await room.begin()
    await room.tell("ADDED", A, "shop.example", created="2026-01-01T00:00:00Z")
    await room.tell("ADDED", "by-hand", "shop.example", created="2026-01-02T00:00:00Z")
    await room.tell("ADDED", B, "shop.example", created="2026-01-03T00:00:00Z")
    room.hosts.admit(A, wants("shop.example"))
    with pytest.raises(PolicyDenied):
        room.hosts.admit(A, wants("shop.example", "*.example"))
    with pytest.raises(PolicyDenied):
        room.hosts.admit(B, wants("shop.example"))


async def test_s63_a_host_that_is_free_again_can_be_had(room: Room) -> None:
    """Whoever was refused is looked at again when any Ingress goes or changes, or is not asked for any more."""
    await room.begin()
    room.hosts.admit(A, wants("shop.example"))
    with pytest.raises(PolicyDenied):
        room.hosts.admit(B, wants("shop.example"))
    await room.tell("ADDED", A, "shop.example")
    room.asked.clear()
    room.hosts.release(A)
    await room.tell("DELETED", A, "shop.example")
    assert set(room.asked) == {B}
    room.hosts.admit(B, wants("shop.example"))
    room.asked.clear()
    await room.tell("ADDED", B, "shop.example")
    assert room.asked == [], "who has what they asked for waits for nothing"


async def test_s63_nothing_is_let_in_while_it_is_not_known_what_is_there(room: Room) -> None:
    """An agent without the right to look says what is to be done; no connection is opened before an Ingress comes."""
    room.cluster.refusal = Forbidden("ingresses is forbidden")
    await room.begin()
    with pytest.raises(HostsUnknown, match="kubectl fairlead cluster join east"):
        room.hosts.admit(A, wants("shop.example"))
