"""A proof counts where the server says that we wrote it, into this very object."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fairlead_api import JsonObject
from fairlead_syncer.proofs import PROOF, is_proved
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from tests.support.owned import MADE_AT, created

BODY: JsonObject = {"metadata": {"name": "c", "annotations": {PROOF: "p"}}, "data": {}}


def having(**change: Any) -> JsonObject:
    """Return what we made, with something else in the entry of its making."""
    made = created(BODY, "d1")
    [entry] = made["metadata"]["managedFields"]
    return {**made, "metadata": {**made["metadata"], "managedFields": [{**entry, **change}]}}


@pytest.mark.parametrize("manager", ["syncer", "fairlead-syncer"])
def test_what_we_made_is_proved(manager: str) -> None:
    """By an agent of a version before, too."""
    assert is_proved(created(BODY, "d1", manager), "p")
    assert not is_proved(created(BODY, "d1", manager), "of another name")
    assert not is_proved(created({**BODY, "metadata": {"name": "c"}}, "d1", manager), "")


@pytest.mark.parametrize("manager", ["kubectl-create", "velero-server", "", "syncer2"])
def test_what_another_made_is_not(manager: str) -> None:
    """Whatever marks it bears."""
    assert not is_proved(created(BODY, "copy", manager), "p")


def test_it_takes_the_mark_itself() -> None:
    """Owning other fields of somebody's object, or a part of it, says nothing of the mark; nor does saying nothing."""
    other = {"f:metadata": {"f:annotations": {".": {}, "f:note": {}}}, "f:data": {"f:k": {}}}
    changes: list[JsonObject] = [{"fieldsV1": other}, {"fieldsV1": {}}, {"subresource": "status"}]
    for change in changes:
        assert not is_proved(having(**change), "p")
    assert not is_proved({**BODY, "metadata": {**BODY["metadata"], "managedFields": []}}, "p")
    assert not is_proved(BODY, "p")


def test_who_writes_beside_us_takes_nothing() -> None:
    """An edit of other fields has an entry of its own, and so has who applies the same value."""
    made, edited = created(BODY, "d1"), created(BODY, "d1", "kubectl-edit")
    entries = [*edited["metadata"]["managedFields"], *made["metadata"]["managedFields"]]
    assert is_proved({**made, "metadata": {**made["metadata"], "managedFields": entries}}, "p")


@pytest.mark.parametrize(
    ("time", "is_ours"),
    [
        ("2025-05-31T23:58:59Z", False),  # a backup's restore puts managedFields back as they were
        ("2025-05-31T23:59:30Z", True),  # the time of birth is noted after webhooks were asked
        (MADE_AT, True),
        ("2026-03-01T00:00:00Z", True),  # of a later apply
        (None, True),
    ],
)
def test_a_proof_is_not_older_than_its_object(time: str | None, is_ours: bool) -> None:
    """Who restores an object with all its bookkeeping makes another of it, born later."""
    assert is_proved(having(time=time), "p") == is_ours


def test_it_is_proved_as_it_is_kept() -> None:
    """In memory, fields are kept as text."""
    state, key = State(SyncTarget("root", "east", "t1", "host", "443", b"s")), Key("", "configmaps", "c", "d", "c")
    state.put_actual(key, having())
    kept = state.actual[key]
    assert isinstance(kept["metadata"]["managedFields"][0]["fieldsV1"], bytes)
    assert is_proved(kept, "p")
    assert is_proved(orjson.loads(orjson.dumps(having(operation="Apply"))), "p")
