from __future__ import annotations

from typing import Any

import pytest

from fairlead_control_plane.kinds.strategies.flow_control import FLOW_SCHEMA, PRIORITY_LEVEL

SUBJECTS = [{"kind": "User", "user": {"name": "a"}}]
URLS = [{"verbs": ["get"], "nonResourceURLs": ["/a"]}]


def schema(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a flow schema that is fine but for what is given."""
    whole = {"matchingPrecedence": 9, "priorityLevelConfiguration": {"name": "a"}, "rules": list(rules), **spec}
    return {"metadata": {"name": "a"}, "spec": whole}


def level(**limited: Any) -> dict[str, Any]:
    """Return a priority level that is fine but for what is given."""
    return {
        "metadata": {"name": "a"},
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}, **limited}},
    }


def checked(obj: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what is wrong with a new object as field, reason and message."""
    validate = (PRIORITY_LEVEL if "type" in obj["spec"] else FLOW_SCHEMA).validate
    assert validate is not None
    return [(one.field, one.reason.removeprefix("FieldValue"), one.message) for one in validate(obj)]


def test_what_is_fine_is_not_spoken_of() -> None:
    """Neither of a schema nor of a level."""
    assert checked(schema({"subjects": SUBJECTS, "nonResourceRules": URLS})) == []
    assert checked(level()) == []


@pytest.mark.parametrize(
    ("obj", "causes"),
    [
        (schema(matchingPrecedence=1), [
            ("spec.matchingPrecedence", "Invalid",
             "Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"),
        ]),
        (schema(priorityLevelConfiguration={}), [
            ("spec.priorityLevelConfiguration.name", "Required",
             "Required value: must reference a priority level"),
        ]),
        (schema(distinguisherMethod={"type": "Other"}), [
            ("spec.distinguisherMethod.type", "NotSupported",
             'Unsupported value: {"Type":"Other"}: supported values: "ByNamespace", "ByUser"'),
        ]),
        (schema({"subjects": SUBJECTS}), [
            ("spec.rules[0]", "Required",
             "Required value: at least one of resourceRules and nonResourceRules has to be non-empty"),
        ]),
        (schema({"subjects": [{"kind": "Group", "user": {"name": "a"}}], "nonResourceRules": URLS}), [
            ("spec.rules[0].subjects[0].group", "Required",
             "Required value: group is required when subject kind is 'Group'"),
            ("spec.rules[0].subjects[0].user", "Forbidden",
             "Forbidden: user is forbidden when subject kind is not 'User'"),
        ]),
        (schema({"subjects": SUBJECTS, "nonResourceRules": [{"verbs": ["get", "x"], "nonResourceURLs": ["/a*"]}]}), [
            ("spec.rules[0].nonResourceRules[0].verbs", "NotSupported",
             'Unsupported value: ["get","x"]: supported values: "create", "delete", "deletecollection", "get", "list",'
             ' "patch", "proxy", "update", "watch"'),
            ("spec.rules[0].nonResourceRules[0].nonResourceURLs[0]", "Invalid",
             'Invalid value: "/a*": wildcard can only do suffix matching'),
        ]),
        (schema({"subjects": SUBJECTS, "resourceRules": [
            {"verbs": ["*"], "apiGroups": ["*", "a"], "resources": ["a"]},
        ]}), [
            ("spec.rules[0].resourceRules[0].apiGroups", "Invalid",
             "Invalid value: [\"*\",\"a\"]: if '*' is present, must not specify other api groups"),
            ("spec.rules[0].resourceRules[0].namespaces", "Required",
             "Required value: resource rules that are not cluster scoped must supply at least one namespace"),
        ]),
        (level(limitResponse={"type": "Queue"}, lendablePercent=101), [
            ("spec.limited.lendablePercent", "Invalid", "Invalid value: 101: must be between 0 and 100, inclusive"),
            ("spec.limited.limitResponse.queuing", "Required",
             "Required value: must not be empty if limited.limitResponse.type is Limited"),
        ]),
        (level(limitResponse={"type": "Queue", "queuing": {"queues": 512, "handSize": 8, "queueLengthLimit": 1}}), [
            ("spec.limited.limitResponse.queuing.handSize", "Invalid",
             "Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be greater than 60"),
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_as_kubernetes_tells_it(obj: dict[str, Any], causes: list[tuple[str, str, str]]) -> None:
    """Field, reason and message of each cause."""
    assert checked(obj) == causes


def test_conditions_have_types_of_their_own() -> None:
    """What is written into the status is checked alone."""
    check = FLOW_SCHEMA.subresources["status"].validate
    assert check is not None
    new = {**schema(priorityLevelConfiguration={}), "status": {"conditions": [{"type": "A"}, {"type": "A"}, {}]}}
    assert [(one.field, one.message) for one in check(new, schema())] == [
        ("status.conditions[1].type", 'Duplicate value: "A"'),
        ("status.conditions[2].type", "Required value"),
    ]
