"""
Who is shown what of a bin, and what a listing costs those who do not ask for it.

Aspects: a listing unpacks no object; who took a namespace away took its content; what an earlier namespace of the same
name held is not shown to those whose rights are in the later one.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence

import orjson
import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.authorize import Decision
from fairlead_control_plane.http.bin_view import BinWorkspace
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.store.contract import Put
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.views import bin as bins
from fairlead_machinery.web import Request

ANN, BOB, EVE = User("ann"), User("bob"), User("eve")
EARLY, LATER, LAST = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"


class Rights:
    """Ann may do everything; Bob only what is asked of the namespace ``dev``; Eve may not even enter."""

    async def may_enter(self, user: User, cluster: str) -> bool:
        """See Authorizer."""
        return user != EVE and cluster == "root"

    async def authorize(self, user: User, info: RequestInfo) -> Decision:
        """See Authorizer."""
        return Decision(user == ANN or info.namespace == "dev")


@pytest.fixture(name="store")
async def _store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:")
    yield store
    await store.close()


async def _resolve(path: str) -> str | None:
    return path if path == "root" else None


async def _put(store: SqliteStore, name: str, note: bins.Note, *, resource: str = "secrets", part: str = "") -> None:
    namespace = "" if resource == "namespaces" else "dev"
    place = bins.Place("root", namespace, "", resource, "", name, f"u-{name}", part or bins.OBJECT)
    obj = {"apiVersion": "v1", "kind": "Any", "metadata": {"name": name}, "data": {"a": "b" * 5000}}
    await store.commit([Put(bins.row_key(place), await bins.encode(note, None if part else obj))])


async def _namespace(store: SqliteStore, uid: str, created: str) -> None:
    """Let there be a namespace ``dev``."""
    metadata = {"name": "dev", "uid": uid, "creationTimestamp": created}
    value = encoding.encode({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    await store.commit([Put("/core/namespaces/-/root/-/dev", value)])


async def _ask(store: SqliteStore, user: User, uid: str = "", workspace: str = "root") -> JsonObject:
    view = BinWorkspace(store, Rights(), _resolve, 3600.0, lambda uid: uid)  # type: ignore[arg-type]  # what is asked of an Authorizer

    async def read() -> bytes:
        return b""

    path = f"/services/bin/{workspace}/{uid}"
    response = await view(Request("GET", path, path, {}, {}, read), user, f"{workspace}/{uid}")
    answer: JsonObject = orjson.loads(response.body)
    return answer


async def _names(store: SqliteStore, user: User) -> Sequence[str]:
    return sorted(item["name"] for item in (await _ask(store, user))["items"])


async def test_a_listing_unpacks_nothing(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three MiB are kept as three KiB: a bin full of such objects would hold the event loop for minutes."""
    await _put(store, "one", bins.Note(EARLY, "ann", "Deleted"))
    await _put(store, "asked", bins.Note(EARLY, "ann", "Deleted"), part="east")
    with monkeypatch.context() as patched:
        patched.setattr(zlib, "decompress", pytest.fail)
        items = (await _ask(store, ANN))["items"]
    assert {item["name"]: item["restorable"] for item in items} == {"one": True, "asked": False}


async def test_who_took_the_namespace_took_its_content(store: SqliteStore) -> None:
    """The control plane did it in their name."""
    await _put(store, "dev", bins.Note(EARLY, "ann", "Deleted"), resource="namespaces", part=bins.ASKED)
    await _put(store, "dev", bins.Note(LATER, "system", "Deleted"), resource="namespaces")
    await _put(store, "one", bins.Note(LATER, "system", "NamespaceDeleted", "u-dev"))
    await _put(store, "two", bins.Note(LATER, "system", "NamespaceDeleted", "u-other"))
    items = (await _ask(store, ANN))["items"]
    assert {item["name"]: item["deletedBy"] for item in items} == {"dev": "ann", "one": "ann", "two": "system"}


async def test_a_later_namespace_does_not_inherit(store: SqliteStore) -> None:
    """Rights in a namespace went with it; who is given the next of that name is given what was deleted from that."""
    await _put(store, "taken", bins.Note(EARLY, "system", "NamespaceDeleted", "first"))
    await _put(store, "early", bins.Note(EARLY, "ann", "Deleted"))
    await _namespace(store, "second", LATER)
    await _put(store, "late", bins.Note(LAST, "bob", "Deleted"))
    assert await _names(store, BOB) == ["late"]
    assert await _names(store, ANN) == ["early", "late", "taken"]
    assert (await _ask(store, BOB, "u-late"))["restorable"]
    for name in ("taken", "early"):
        with pytest.raises(Exception, match="is not in the bin"):
            await _ask(store, BOB, f"u-{name}")


async def test_strangers_do_not_learn_which_workspaces_exist(store: SqliteStore) -> None:
    """One that may not be entered answers as one that does not exist."""
    said = []
    for workspace in ("root", "nope"):
        with pytest.raises(Forbidden) as refused:
            await _ask(store, EVE, workspace=workspace)
        said.append(refused.value.message.replace(workspace, "X"))
    path = "/services/bin/X/"
    assert said == [f'forbidden: User "eve" cannot list path "{path}": access denied'] * 2
