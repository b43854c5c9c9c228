"""Services that need another family of addresses are refused before all else."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Invalid
from fairlead_api.request import User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.service_families import ServiceFamilies
from fairlead_control_plane.kinds.builtin import builtin_resource

found = builtin_resource("", "services")
assert found is not None
SERVICES = found


def write(spec: JsonObject, old: JsonObject | None = None, subresource: str = "") -> Attributes:
    """Return a write of a Service."""
    obj: JsonObject = {"metadata": {"name": "s", "namespace": "ns"}, "spec": spec}
    before = None if old is None else {**obj, "spec": old}
    operation = "CREATE" if old is None else "UPDATE"
    return Attributes(operation, SERVICES, "v1", "root", "ns", "s", subresource, User("u"), obj, before)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"ipFamilies": ["IPv6"]}, "spec.ipFamilies[0]"),
        ({"ipFamilyPolicy": "RequireDualStack"}, "this cluster is not configured for dual-stack services"),
        ({"clusterIP": "None", "selector": {"a": "b"}, "ipFamilies": ["IPv6"]}, "not configured on this cluster"),
    ],
)
async def test_what_cannot_be_had_is_refused(spec: JsonObject, why: str) -> None:
    """Whatever else is wrong, as here that there is no port."""
    with pytest.raises(Invalid) as caught:
        await ServiceFamilies().admit(write(spec))
    assert why in caught.value.message
    assert "spec.ports" not in caught.value.message


@pytest.mark.parametrize(
    "spec",
    [
        {"ipFamilyPolicy": "PreferDualStack"},
        {"type": "ExternalName", "ipFamilies": ["IPv6"]},
        {"clusterIP": "None"},
        {"ipFamilies": ["IPv4", "IPv4"]},
    ],
)
async def test_the_rest_is_left_to_validation(spec: JsonObject) -> None:
    """And is not changed."""
    asked = write(dict(spec))
    await ServiceFamilies().admit(asked)
    await ServiceFamilies().validate(asked)
    assert asked.obj is not None
    assert asked.obj["spec"] == spec


async def test_a_status_is_not_looked_at() -> None:
    """Nor what was let be before."""
    old: JsonObject = {
        "ipFamilyPolicy": "PreferDualStack",
        "ipFamilies": ["IPv4", "IPv6"],
        "clusterIPs": [],
        "type": "ClusterIP",
    }
    await ServiceFamilies().admit(write({"ipFamilies": ["IPv6"]}, old, "status"))
    await ServiceFamilies().admit(write(dict(old), old))
