"""What a heartbeat is judged against: an export's offer, read once as long as its schemas do not change."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.main import compute
from fairlead_control_plane.sharing.objects import EXPORTS, SCHEMAS
from fairlead_control_plane.store.contract import Put, Row
from tests.support.workspaces import world

SCHEMA: JsonObject = {
    "apiVersion": "apis.kcp.io/v1alpha1",
    "kind": "APIResourceSchema",
    "metadata": {"name": "v1.boats.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"plural": "boats"},
        "versions": [{"name": "v2", "served": True}, {"name": "v1", "served": True}, {"name": "v0", "served": False}],
    },
}


async def test_schemas_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of kilobytes of schemas at every heartbeat of every agent would be what the server mostly does."""
    decoded: list[str] = []

    def decode(row: Row) -> JsonObject:
        decoded.append(row.key)
        return encoding.decode(row)

    monkeypatch.setattr(compute, "decode", decode)
    async with world() as made:

        async def resolve(path: str) -> str:
            return path

        export: JsonObject = {
            "apiVersion": "apis.kcp.io/v1alpha1",
            "kind": "APIExport",
            "metadata": {"name": "harbour"},
            "spec": {"latestResourceSchemas": [SCHEMA["metadata"]["name"], "not.there"]},
            "status": {"identityHash": "abc"},
        }
        schema_key = made.maker.key(SCHEMAS, "one", SCHEMA["metadata"]["name"])
        await made.store.commit(
            [
                Put(made.maker.key(EXPORTS, "one", "harbour"), encoding.encode(export)),
                Put(schema_key, encoding.encode(SCHEMA)),
            ]
        )
        exported = compute._Exported(made.store, made.maker.records, resolve)
        offer = {"group": "example.com", "resource": "boats", "versions": ["v1", "v2"], "identityHash": "abc"}
        assert [await exported("one", "harbour") for _ in range(3)] == [[offer]] * 3
        assert decoded == [schema_key]
        assert await exported("one", "elsewhere") == []
        spec = {**SCHEMA["spec"], "versions": [{"name": "v3", "served": True}]}
        await made.store.commit([Put(schema_key, encoding.encode({**SCHEMA, "spec": spec}))])
        assert (await exported("one", "harbour"))[0]["versions"] == ["v3"]
