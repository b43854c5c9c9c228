"""Which metadata is the system's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_api.request import SYSTEM, User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.reserved import ReservedMetadata, is_reserved, is_reserved_finalizer
from tests.unit.control_plane.in_process import CONFIG_MAPS

ALICE = User("alice", ("system:authenticated",))


@pytest.mark.parametrize(
    "key",
    [
        "kcp.io/cluster",
        "kcp.io/path",
        "internal.kcp.io/replicate",
        "state.workload.kcp.io/abc",
        "internal.workload.kcp.io/synctarget",
        "deletion.internal.workload.kcp.io/abc",
        "internal.tenancy.kcp.io/cluster",
        "initializer.internal.kcp.io/abc",
        "claimed.internal.apis.kcp.io/abc",
        "authorization.kcp.io/required-groups",
    ],
)
def test_the_systems_keys(key: str) -> None:
    """Keys of internal domains, and a few by name, are reserved."""
    assert is_reserved(key)


@pytest.mark.parametrize(
    "key",
    [
        "app",
        "kcp.io",
        "kcp.io/other",
        "example.com/kcp.io",
        "internal.kcp.io",
        "notinternal.kcp.io/x",
        "internal.kcp.io.example.com/x",
        "workload.kcp.io/x",
        "scheduling.kcp.io/placement",
        "example.com/internal.workload.kcp.io",
    ],
)
def test_everybodys_keys(key: str) -> None:
    """The domain decides, whatever the rest of a key looks like."""
    assert not is_reserved(key)


def test_finalizers() -> None:
    """The syncer's finalizers are reserved, others of the same domain are not."""
    assert is_reserved_finalizer("workload.kcp.io/syncer-abc")
    assert not is_reserved_finalizer("workload.kcp.io/other")


def attributes(user: User, new: JsonObject, old: JsonObject | None) -> Attributes:
    def wrap(metadata: JsonObject) -> JsonObject:
        return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}

    return Attributes(
        operation="UPDATE" if old is not None else "CREATE",
        resource=CONFIG_MAPS,
        version="v1",
        cluster="root",
        namespace="default",
        name="a",
        subresource="",
        user=user,
        obj=wrap(new),
        old=None if old is None else wrap(old),
    )


KEYS = st.sampled_from(["app", "state.workload.kcp.io/a", "internal.kcp.io/x", "kcp.io/path", "example.com/y"])
MAPS = st.dictionaries(KEYS, st.sampled_from(["1", "2"]))


@given(old=MAPS, new=MAPS, field=st.sampled_from(["labels", "annotations"]))
async def test_users_change_what_is_theirs(old: dict[str, str], new: dict[str, str], field: str) -> None:
    """A user is refused exactly when a reserved key was set, changed or removed; the system never is."""
    touched = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    plugin = ReservedMetadata()
    await plugin.admit(attributes(SYSTEM, {field: new}, {field: old}))
    asked = attributes(ALICE, {field: new}, {field: old})
    if any(is_reserved(key) for key in touched):
        with pytest.raises(Forbidden, match="reserved"):
            await plugin.admit(asked)
    else:
        await plugin.admit(asked)


async def test_the_logical_cluster_is_the_servers_own_note() -> None:
    """The annotation the server has just written does not count against the caller; another value does."""
    plugin = ReservedMetadata()
    await plugin.admit(attributes(ALICE, {"annotations": {"kcp.io/cluster": "root"}}, None))
    with pytest.raises(Forbidden):
        await plugin.admit(attributes(ALICE, {"annotations": {"kcp.io/cluster": "other"}}, None))
