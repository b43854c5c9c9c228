"""Custom objects that a webhook converts between versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.catalog import StaticCatalog
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.record import ConversionWebhook
from fairlead_control_plane.registry import conversion
from fairlead_control_plane.registry.registry import Registry
from tests.unit.control_plane.in_process import MERGE, NAMESPACES, Api, in_process, lines

_V1, _V2 = (f"/apis/x.io/{version}/namespaces/default/things" for version in ("v1", "v2"))
_STRING: JsonObject = {"type": "string"}


class _Webhook:
    """Renames ``a`` (v1) and ``b`` (v2); ``spoil`` changes its answers."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.spoil: JsonObject = {}

    async def post(self, webhook: ConversionWebhook, body: bytes, *, confined: bool) -> Any:
        del confined
        assert webhook.url == "https://x/convert"
        request = orjson.loads(body)["request"]
        self.asked.append(len(request["objects"]))
        names = {"a": "b"} if request["desiredAPIVersion"] == "x.io/v2" else {"b": "a"}
        made = [
            {**{names.get(key, key): value for key, value in obj.items()}, "apiVersion": request["desiredAPIVersion"]}
            for obj in request["objects"]
        ]
        response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": made, **self.spoil}
        return {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "response": response}


def _version(name: str, field: str) -> JsonObject:
    schema = {"type": "object", "properties": {field: _STRING}}
    return {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": schema}}


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> _Webhook:
    made = _Webhook()
    monkeypatch.setattr(conversion, "_post", made.post)
    return made


@pytest.fixture
async def api(webhook: _Webhook) -> AsyncIterator[Api]:
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    client = {"clientConfig": {"url": "https://x/convert"}, "conversionReviewVersions": ["v1"]}
    spec = {
        "group": "x.io", "scope": "Namespaced", "names": names, "versions": [_version("v1", "a"), _version("v2", "b")],
        "conversion": {"strategy": "Webhook", "webhook": client},
    }  # fmt: skip
    thing = resource_from_crd({"metadata": {"name": "things.x.io", "uid": "u", "resourceVersion": "1"}, "spec": spec})
    async with in_process() as running:
        parts = replace(running.registry.parts, catalog=StaticCatalog([NAMESPACES, thing]))
        running.registry = Registry(parts.store, parts.catalog, parts.hub, admission=parts.admission)
        for name in ("one", "two"):
            body = {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": name}, "a": name}
            assert (await running.send("POST", _V1, body)).code == 201
        yield running
    del webhook


async def test_a_list_is_one_question(api: Api, webhook: _Webhook) -> None:
    """Objects of the storage version are not sent; a list in another one is converted in one batch."""
    assert not webhook.asked
    listed = await api.ask("GET", _V2)
    assert [(item["apiVersion"], item["b"], "a" in item) for item in listed["items"]] == [
        ("x.io/v2", "one", False), ("x.io/v2", "two", False),
    ]  # fmt: skip
    assert webhook.asked == [2]


async def test_writes_go_through_the_storage_version(api: Api) -> None:
    """What is created, patched and deleted in v2 is stored in v1, and answered in v2."""
    body = {"apiVersion": "x.io/v2", "kind": "Thing", "metadata": {"name": "new"}, "b": "x"}
    assert (await api.ask("POST", _V2, body))["b"] == "x"
    assert (await api.ask("GET", f"{_V1}/new"))["a"] == "x"
    patched = await api.ask("PATCH", f"{_V2}/new", {"b": "y"}, kind=MERGE)
    assert (patched["apiVersion"], patched["b"]) == ("x.io/v2", "y")
    assert (await api.ask("GET", f"{_V1}/new"))["a"] == "y"
    assert (await api.ask("DELETE", f"{_V2}/new"))["status"] == "Success"


async def test_a_watch_shows_converted_objects(api: Api) -> None:
    """State and changes alike."""
    watch = await api.send("GET", _V2, watch="true", timeoutSeconds="5")
    assert watch.stream is not None
    events = aiter(watch.stream)
    assert [event["object"]["b"] for event in lines(await anext(events))] == ["one", "two"]
    await api.ask("PATCH", f"{_V1}/one", {"a": "z"}, kind=MERGE)
    (changed,) = lines(await anext(events))
    assert (changed["type"], changed["object"]["apiVersion"], changed["object"]["b"]) == ("MODIFIED", "x.io/v2", "z")


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        ({"result": {"status": "Failed", "message": "no"}}, "failed: no"),
        ({"result": {"status": "Odd"}}, "failed: response.result.status was 'Odd', not 'Success'"),
        ({"convertedObjects": []}, "returned 0 objects, expected 1"),
        (
            {"convertedObjects": [{"apiVersion": "x.io/v3", "kind": "Thing"}]},
            "returned invalid object at index 0: invalid groupVersion (expected x.io/v2, received x.io/v3)",
        ),
        (
            {"convertedObjects": [{"apiVersion": "x.io/v2", "kind": "Thing", "metadata": {"name": "q"}}]},
            "returned invalid object: must have the same name: one != q",
        ),
    ],
)
async def test_bad_answers(api: Api, webhook: _Webhook, spoil: JsonObject, text: str) -> None:
    """Each is told with the kind that was to be converted, as an error without a reason."""
    webhook.spoil = spoil
    answer = await api.ask("GET", f"{_V2}/one")
    assert answer["code"] == 500
    assert answer["message"] == f"conversion webhook for x.io/v1, Kind=Thing {text}"
