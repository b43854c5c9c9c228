"""What CustomResourceDefinitions may say, in Kubernetes' words."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.strategies.conversions import problems
from fairlead_control_plane.kinds.strategies.definitions import CUSTOM_RESOURCE_DEFINITION as STRATEGY

_URL = {"url": "https://x/y"}


def _webhook(client: JsonObject | None, reviews: list[str] | None = None) -> JsonObject:
    return {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": reviews or ["v1"]}}


@pytest.mark.parametrize(
    ("conversion", "expected"),
    [
        (_webhook(_URL), []),
        ({"strategy": "None"}, []),
        (_webhook({}), ["webhookClientConfig: Required value: exactly one of url or service is required"]),
        (_webhook(None), ["webhookClientConfig: Required value: required when strategy is set to Webhook"]),
        (
            _webhook(_URL, ["v7"]),
            ['conversionReviewVersions: Invalid value: ["v7"]: must include at least one of v1, v1beta1'],
        ),
        (
            _webhook({"url": "http://x/y?z#q"}),
            [
                "webhookClientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; "
                "desired format: https://host[/path]",
                'webhookClientConfig.url: Invalid value: "q": fragments are not permitted in the URL',
                'webhookClientConfig.url: Invalid value: "z": query parameters are not permitted in the URL',
            ],
        ),
        (
            _webhook({"service": {"name": "a", "namespace": "b", "port": 0, "path": "x//y"}}),
            [
                "webhookClientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, "
                "inclusive",
                "webhookClientConfig.service.path: Invalid value: \"x//y\": must start with a '/'",
                'webhookClientConfig.service.path: Invalid value: "x//y": segment[0] may not be empty',
                'webhookClientConfig.service.path: Invalid value: "x//y": segment[1] may not be empty',
            ],
        ),
    ],
)  # fmt: skip
def test_conversion(conversion: JsonObject, expected: list[str]) -> None:
    """Addresses, services and review versions are judged as Kubernetes judges them."""
    found = [f"{one.field}: {one.message}".removeprefix("spec.conversion.") for one in problems(conversion)]
    assert found == expected


def _definition(stored: list[str], **spec: object) -> JsonObject:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"o": {"type": "object"}, "a": {"type": "string"}}}}
    version = {"name": "v2", "served": True, "storage": True, "schema": schema}
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    whole = {"group": "x.io", "scope": "Cluster", "names": names, "versions": [version], **spec}
    return {"metadata": {"name": "things.x.io"}, "spec": whole, "status": {"storedVersions": stored}}


def test_only_a_change_of_the_spec_asks_what_is_stored() -> None:
    """A version that may be stored cannot be dropped; what a status says of versions keeps nobody from writing it."""
    assert STRATEGY.validate_update is not None
    old = _definition(["v2", "v9"])
    assert not STRATEGY.validate_update(_definition(["v2", "v9"]), old)
    found = STRATEGY.validate_update(_definition(["v2", "v9"], preserveUnknownFields=False), old)
    assert [one.field for one in found] == ["status.storedVersions[1]"]


def test_selectable_fields_are_scalars_that_are_declared() -> None:
    """Objects, undeclared fields and paths without a dot are told apart."""
    assert STRATEGY.validate is not None
    obj = _definition(["v2"], conversion={"strategy": "None"})
    paths = (".o", ".x", "a", ".a")
    obj["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": path} for path in paths]
    found = [one.message for one in STRATEGY.validate(obj)]
    assert found == [
        'Invalid value: ".o": must point to a field of type string, boolean or integer. '
        "Enum string fields and strings with formats are allowed.",
        'Invalid value: ".x": is an invalid path: does not refer to a valid field',
        'Invalid value: "a": is an invalid path: expected [ or . but got: a',
    ]
