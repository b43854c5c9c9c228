"""Services get addresses and node ports of their own, keep them, and give them back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_control_plane.allocation import ranges
from fairlead_control_plane.allocation.held import ports_prefix
from fairlead_control_plane.allocation.repair import note_given
from fairlead_control_plane.allocation.services import ServiceAllocation
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.store.contract import prefix_end
from tests.unit.control_plane.in_process import MERGE, Api, in_process, known

SERVICES, ADDRESSES = known("", "services"), known("networking.k8s.io", "ipaddresses")
PATH = "/api/v1/namespaces/default/services"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """An API that gives out."""
    late: list[ServiceAllocation] = []

    async def effects(change: Change) -> Effect:
        return await late[0].effects(change) if late else Effect()

    async with in_process(effects=[effects]) as running:
        late.append(ServiceAllocation(running.store, ADDRESSES, lambda: "uid", lambda: "2026-01-01T00:00:00Z"))
        yield running


def body(name: str, kind: str = "ClusterIP", ports: int = 1, **spec: object) -> JsonObject:
    """Return a Service."""
    listed = [{"name": f"p{index}", "port": 80 + index} for index in range(ports)]
    return {"metadata": {"name": name}, "spec": {"type": kind, "ports": listed, **spec}}


async def addresses(api: Api) -> list[str]:
    """Return the addresses that are noted as given."""
    found, _ = await api.registry.list(ADDRESSES, "root")
    return [one["metadata"]["name"] for one in found]


async def ports(api: Api) -> list[int]:
    """Return the node ports that are noted as given."""
    prefix = ports_prefix("root")
    rows = (await api.store.range(prefix, prefix_end(prefix))).rows
    return [int(row.key.rpartition("/")[2]) for row in rows]


async def test_a_service_has_an_address_until_it_goes(api: Api) -> None:
    """The address stands in both fields, is held by an IPAddress, and is free again after the Service."""
    made = await api.ask("POST", PATH, body("s"))
    address = made["spec"]["clusterIP"]
    assert made["spec"]["clusterIPs"] == [address]
    assert not ranges.address_error(address)
    holder = await api.registry.get(ADDRESSES, "root", "", address)
    assert holder["spec"]["parentRef"] == {"group": "", "resource": "services", "namespace": "default", "name": "s"}
    assert holder["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"] == "ipallocator.k8s.io"
    await api.ask("DELETE", f"{PATH}/s")
    assert await addresses(api) == []


async def test_updates_keep_what_was_given(api: Api) -> None:
    """A PUT of the first manifest changes neither address nor node ports; a new port gets one more."""
    made = await api.ask("POST", PATH, body("s", "NodePort"))
    again = await api.ask("PUT", f"{PATH}/s", body("s", "NodePort", 2))
    assert again["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    first, second = (port["nodePort"] for port in again["spec"]["ports"])
    assert first == made["spec"]["ports"][0]["nodePort"] != second
    assert sorted(await ports(api)) == sorted([first, second])


async def test_a_change_of_type_gives_back(api: Api) -> None:
    """A ClusterIP Service has no node ports; an ExternalName has no address either, and gets one when it comes back."""
    await api.ask("POST", PATH, body("s", "NodePort", 2))
    assert len(await ports(api)) == 2
    plain = await api.ask("PATCH", f"{PATH}/s", {"spec": {"type": "ClusterIP"}}, kind=MERGE)
    assert await ports(api) == []
    assert "nodePort" not in plain["spec"]["ports"][0]
    name = {"spec": {"type": "ExternalName", "externalName": "example.com"}}
    await api.ask("PATCH", f"{PATH}/s", name, kind=MERGE)
    assert await addresses(api) == []
    back = await api.ask("PATCH", f"{PATH}/s", {"spec": {"type": "ClusterIP", "externalName": None}}, kind=MERGE)
    assert await addresses(api) == [back["spec"]["clusterIP"]]


async def test_headless_services_have_none(api: Api) -> None:
    """``None`` stays."""
    made = await api.ask("POST", PATH, body("s", clusterIP="None", selector={"a": "b"}))
    assert made["spec"]["clusterIPs"] == ["None"]
    assert await addresses(api) == []


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.96.7.7", "provided IP is already allocated"),
        ("192.168.0.1", "the provided network does not match the current range"),
        ("10.96.0.0", "the provided IP (10.96.0.0) is not in the valid range. The range of valid IPs is 10.96.0.0/16"),
    ],
)
async def test_addresses_that_are_not_to_be_had(api: Api, address: str, why: str) -> None:
    """A Service that names an address gets it or is refused."""
    first = await api.ask("POST", PATH, body("first", clusterIP="10.96.7.7"))
    assert first["spec"]["clusterIP"] == "10.96.7.7"
    refused = await api.ask("POST", PATH, body("s", clusterIP=address))
    assert refused["code"] == 422
    assert refused["message"] == (
        f'Service "s" is invalid: spec.clusterIPs: Invalid value: ["{address}"]: failed to allocate IP {address}: {why}'
    )


@pytest.mark.parametrize(
    ("port", "why"),
    [
        (31000, "provided port is already allocated"),
        (80, "provided port is not in the valid range. The range of valid ports is 30000-32767"),
    ],
)
async def test_ports_that_are_not_to_be_had(api: Api, port: int, why: str) -> None:
    """The same for node ports, by create and by update."""
    await api.ask("POST", PATH, _with_ports("first", (80, 31000)))
    text = f'Service "s" is invalid: spec.ports[0].nodePort: Invalid value: {port}: {why}'
    assert (await api.ask("POST", PATH, _with_ports("s", (80, port))))["message"] == text
    await api.ask("POST", PATH, _with_ports("s", (80, 31001)))
    assert (await api.ask("PUT", f"{PATH}/s", _with_ports("s", (80, port))))["message"] == text


def _ports(*listed: tuple[int, int]) -> JsonObject:
    ports = [{"name": f"p{index}", "port": port, "nodePort": node} for index, (port, node) in enumerate(listed)]
    return {"spec": {"type": "NodePort", "ports": ports}}


def _with_ports(name: str, *listed: tuple[int, int]) -> JsonObject:
    return {"metadata": {"name": name}, **_ports(*listed)}


async def test_tcp_and_udp_share_a_node_port(api: Api) -> None:
    """Two ports of one number are one on the node."""
    listed = [{"name": name, "port": 53, "protocol": name.upper()} for name in ("tcp", "udp")]
    made = await api.ask("POST", PATH, {"metadata": {"name": "dns"}, "spec": {"type": "NodePort", "ports": listed}})
    assert len({port["nodePort"] for port in made["spec"]["ports"]}) == len(await ports(api)) == 1


async def test_health_check_port(api: Api) -> None:
    """A load balancer that asks nodes for their own pods has a port for that, until it does no more."""
    made = await api.ask("POST", PATH, body("s", "LoadBalancer", externalTrafficPolicy="Local"))
    assert made["spec"]["healthCheckNodePort"] in await ports(api)
    assert len(await ports(api)) == 2
    await api.ask("PATCH", f"{PATH}/s", {"spec": {"externalTrafficPolicy": "Cluster"}}, kind=MERGE)
    assert len(await ports(api)) == 1


async def test_many_at_once_are_unique(api: Api) -> None:
    """Concurrent creates never get the same."""
    made = await asyncio.gather(*(api.ask("POST", PATH, body(f"s{number}", "NodePort")) for number in range(40)))
    assert len({one["spec"]["clusterIP"] for one in made}) == 40
    assert len({one["spec"]["ports"][0]["nodePort"] for one in made}) == len(await ports(api)) == 40


async def test_what_others_gave_is_noted_at_the_start() -> None:
    """Services from before hold what they have; nobody else gets it."""
    async with in_process() as api:
        await api.ask("POST", PATH, {**_with_ports("old", (80, 30500)), "metadata": {"name": "older"}})
        allocation = ServiceAllocation(api.store, ADDRESSES, lambda: "uid", lambda: "2026-01-01T00:00:00Z")
        assert await note_given(api.store, allocation, SERVICES, "root") == 1
        assert await ports(api) == [30500]
        assert await note_given(api.store, allocation, SERVICES, "root") == 0


@settings(deadline=None, max_examples=50)
@given(st.sets(st.integers(ranges.FIRST_PORT, ranges.LAST_PORT)), st.randoms(use_true_random=False))
def test_a_free_port_is_found(taken: set[int], random: object) -> None:
    """Whatever is taken, the next is free and of the range; those given out last come last."""
    port = ranges.free_port(taken, random.randrange)  # type: ignore[attr-defined]  # a Random
    assert port is not None
    assert port not in taken
    assert ranges.FIRST_PORT + 86 <= port <= ranges.LAST_PORT


def test_the_first_ports_are_the_last_resort() -> None:
    """Only when all others are given out."""
    late = set(range(ranges.FIRST_PORT + 86, ranges.LAST_PORT + 1))
    assert ranges.free_port(late, lambda limit: limit - 1) == ranges.FIRST_PORT + 85
    assert ranges.free_port(set(range(ranges.FIRST_PORT, ranges.LAST_PORT + 1)), lambda limit: 0) is None
