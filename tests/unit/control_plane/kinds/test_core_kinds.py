"""What is wrong with quotas, nodes, namespaces, events and classes, and with changes of them, in Kubernetes' words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Invalid
from fairlead_control_plane.kinds.builtin import builtin_resource
from fairlead_control_plane.kinds.record import Strategy, Writer
from fairlead_control_plane.kinds.strategies.events import EVENT

HEADS = {
    "limitranges": ("", "v1", "LimitRange"),
    "resourcequotas": ("", "v1", "ResourceQuota"),
    "nodes": ("", "v1", "Node"),
    "namespaces": ("", "v1", "Namespace"),
    "serviceaccounts": ("", "v1", "ServiceAccount"),
    "roles": ("rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1", "Role"),
    "runtimeclasses": ("node.k8s.io", "node.k8s.io/v1", "RuntimeClass"),
    "leases": ("coordination.k8s.io", "coordination.k8s.io/v1", "Lease"),
}
NEW_STYLE: JsonObject = {
    "regarding": {"namespace": "default"}, "eventTime": "2024-01-02T03:04:05.000000Z", "reason": "r", "action": "a",
    "type": "Normal", "reportingController": "a.b/c", "reportingInstance": "i", "note": "n",
}  # fmt: skip


def strategy_of(plural: str) -> Strategy:
    """Return the strategy of a kind."""
    found = builtin_resource(HEADS[plural][0], plural)
    assert found is not None
    return found.strategy


def made(plural: str, **content: Any) -> JsonObject:
    """Return a new object with its defaults, settled."""
    _, version, kind = HEADS[plural]
    obj = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, **copy.deepcopy(content)}
    strategy = strategy_of(plural)
    assert strategy.prepare_create is not None
    strategy.prepare_create(obj)
    if strategy.settle is not None:
        strategy.settle(obj, None)
    return obj


def told(causes: Any) -> list[tuple[str, str]]:
    """Return field and message of each cause once."""
    return [(one.field, one.message) for one in dict.fromkeys(causes)]


def said(plural: str, **content: Any) -> list[tuple[str, str]]:
    """Return what is wrong with a new object."""
    check = strategy_of(plural).validate
    assert check is not None
    return told(check(made(plural, **content)))


def said_of_change(plural: str, new: JsonObject, old: JsonObject, subresource: str = "") -> list[tuple[str, str]]:
    """Return what is wrong with a change."""
    strategy = strategy_of(plural)
    check = strategy.subresources[subresource].validate if subresource else strategy.validate_change
    assert check is not None
    return told(check(new, old))


def test_limits_are_within_each_other() -> None:
    """What is told of is where Kubernetes tells of it."""
    item = {
        "type": "PersistentVolumeClaim",
        "min": {"cpu": "2"},
        "max": {"cpu": "1"},
        "maxLimitRequestRatio": {"cpu": "500m"},
    }
    path = "spec.limits[0]"
    assert said("limitranges", spec={"limits": [item, {"type": "Foo", "max": {"bar": "1"}}]}) == [
        (
            f"{path}.limits",
            "Required value: either minimum or maximum storage value is required, but neither was provided",
        ),
        (f"{path}.min[cpu]", 'Invalid value: "2": min value 2 is greater than max value 1'),
        (f"{path}.maxLimitRequestRatio[cpu]", 'Invalid value: "500m": ratio 500m is less than 1'),
        ("spec.limits[1].type", 'Invalid value: "Foo": must be a standard limit type or fully qualified'),
        ("spec.limits[1].max[bar]", 'Invalid value: "bar": must be a standard resource type or fully qualified'),
    ]


def test_a_ratio_is_no_more_than_the_bounds_allow() -> None:
    """And a pod has no defaults."""
    item = {"type": "Pod", "min": {"cpu": "100m"}, "max": {"cpu": "1"}, "maxLimitRequestRatio": {"cpu": "11"}}
    assert said("limitranges", spec={"limits": [{**item, "default": {"cpu": "1"}}]}) == [
        ("spec.limits[0].default", "Forbidden: may not be specified when `type` is 'Pod'"),
        (
            "spec.limits[0].maxLimitRequestRatio[cpu]",
            'Invalid value: "11": ratio 11 is greater than max/min = 10.000000',
        ),
    ]


def test_scopes_go_with_each_other_and_with_what_is_bounded() -> None:
    """They stay as they are."""
    scopes = ["BestEffort", "NotBestEffort", "Other"]
    shown = 'Invalid value: ["BestEffort","NotBestEffort","Other"]'
    assert said("resourcequotas", spec={"hard": {"cpu": "1", "foo": "1"}, "scopes": scopes}) == [
        ("spec.hard[foo]", 'Invalid value: "foo": must be a standard resource type or fully qualified'),
        ("spec.hard[foo]", 'Invalid value: "foo": must be a standard resource for quota'),
        ("spec.scopes", f"{shown}: unsupported scope applied to resource"),
        ("spec.scopes", f"{shown}: unsupported scope"),
        ("spec.scopes", f"{shown}: conflicting scopes"),
    ]
    old, new = made("resourcequotas", spec={}), made("resourcequotas", spec={"scopes": ["Terminating"]})
    assert said_of_change("resourcequotas", new, old) == [
        ("spec.scopes", 'Invalid value: ["Terminating"]: field is immutable')
    ]


def test_a_quotas_status_counts() -> None:
    """Nothing is half used, or less than not at all."""
    old = made("resourcequotas", spec={})
    new = {**old, "status": {"hard": {"pods": "1500m"}, "used": {"cpu": "-1"}}}
    assert said_of_change("resourcequotas", new, old, "status") == [
        ("status.hard[pods]", 'Invalid value: "1500m": must be an integer'),
        ("status.used[cpu]", 'Invalid value: "-1": must be greater than or equal to 0'),
    ]


def test_a_scope_selector_asks_what_its_scope_can_answer() -> None:
    """Operator and values go together."""
    expressions = [
        {"scopeName": "Terminating", "operator": "In"},
        {"scopeName": "X", "operator": "Exists", "values": ["a"]},
    ]
    path = "spec.scopeSelector.matchExpressions"
    found = said("resourcequotas", spec={"scopeSelector": {"matchExpressions": expressions}})
    assert [field for field, _ in found] == [
        f"{path}.operator", f"{path}.values", f"{path}.scopeName", f"{path}.values"
    ]  # fmt: skip
    assert found[2] == (f"{path}.scopeName", 'Invalid value: "X": unsupported scope')


def test_a_nodes_networks_are_one_of_each_family() -> None:
    """The single one is the first of the list, which stays."""
    node = made("nodes", spec={"podCIDR": "10.0.0.0/24"})
    assert node["spec"]["podCIDRs"] == ["10.0.0.0/24"]
    text = "may specify no more than one CIDR for each IP family"
    assert said("nodes", spec={"podCIDRs": ["10.0.0.0/24", "10.1.0.0/24"]}) == [
        ("spec.podCIDRs", f'Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: {text}')
    ]
    assert said_of_change("nodes", made("nodes", spec={"podCIDR": "10.1.0.0/24"}), node) == [
        ("spec.podCIDRs", 'Forbidden: node updates may not change podCIDR except from "" to valid')
    ]


def test_a_nodes_taints_differ() -> None:
    """Kubernetes shows its own struct."""
    taint = {"key": "a", "effect": "NoSchedule"}
    assert said("nodes", spec={"taints": [taint, {**taint, "value": "b"}]}) == [
        ("metadata.taints[1]", 'Duplicate value: {"Key":"a","Value":"b","Effect":"NoSchedule","TimeAdded":null}: '
         "taints must be unique by key and effect pair"),
    ]  # fmt: skip


def test_all_that_a_node_has_can_be_had() -> None:
    """Unless it says otherwise."""
    assert made("nodes", status={"capacity": {"cpu": "4"}})["status"]["allocatable"] == {"cpu": "4"}
    old = made("nodes")
    addresses = [{"type": "Hostname", "address": "n"}] * 2
    new = {**old, "status": {"addresses": addresses, "declaredFeatures": ["B", "A"], "capacity": {"pods": "1.5"}}}
    assert said_of_change("nodes", new, old, "status") == [
        ("status.capacity.pods", 'Invalid value: "1500m": must be an integer'),
        ("status.declaredFeatures[1]", 'Invalid value: "A": list must be sorted alphabetically'),
        ("status.addresses[1]", 'Duplicate value: {"Type":"Hostname","Address":"n"}'),
    ]


def test_a_namespaces_phase_follows_its_deletion() -> None:
    """Its label is the server's, and its finalizers have names."""
    old = made("namespaces")
    prepare = strategy_of("namespaces").subresources["status"].prepare
    assert prepare is not None
    new = copy.deepcopy({**old, "metadata": {"name": "a"}, "status": {"phase": "Terminating"}})
    prepare(new, old, Writer.__new__(Writer))
    assert new["metadata"]["labels"] == {"kubernetes.io/metadata.name": "a"}
    text = "may only be 'Active' if `deletionTimestamp` is empty"
    assert said_of_change("namespaces", new, old, "status") == [
        ("status.Phase", f'Invalid value: "Terminating": {text}')
    ]
    named = {**old, "spec": {"finalizers": ["kubernetes", "mine"]}}
    text = "name is neither a standard finalizer name nor is it fully qualified"
    assert said_of_change("namespaces", named, old, "finalize") == [
        ("spec.finalizers[1]", f'Invalid value: "mine": {text}')
    ]


@pytest.mark.parametrize(("name", "is_labelled"), [("a", True), ("a-bcdfg", False), ("other", True)])
def test_a_generated_name_is_in_a_label_that_nobody_owns(name: str, is_labelled: bool) -> None:
    """It is not known yet when owners are noted."""
    obj: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "generateName": "a-"}}
    strategy = strategy_of("namespaces")
    assert strategy.prepare_create is not None
    assert strategy.settle is not None
    strategy.prepare_create(obj)
    assert ("labels" in obj["metadata"]) is is_labelled
    strategy.settle(obj, None)
    assert obj["metadata"]["labels"] == {"kubernetes.io/metadata.name": name}


def test_an_account_keeps_the_names_of_secrets() -> None:
    """And what it enforces is warned of once."""
    account = made("serviceaccounts", secrets=[{"name": "a", "namespace": "b", "kind": "Secret"}, None])
    assert account["secrets"] == [{"name": "a"}, {}]
    warn = strategy_of("serviceaccounts").warn
    assert warn is not None
    account["metadata"]["annotations"] = {"kubernetes.io/enforce-mountable-secrets": "true"}
    assert len(warn(account, None)) == 1
    assert warn(account, account) == []


def test_null_in_a_list_is_the_zero_of_its_type() -> None:
    """As Go reads it."""
    role = made("roles", rules=[{"verbs": [None], "apiGroups": ["a"], "resources": ["b"]}, None])
    assert role["rules"] == [{"verbs": [""], "apiGroups": ["a"], "resources": ["b"]}, {"verbs": None}]
    quota = made("resourcequotas", spec={"hard": {"pods": None}})
    assert quota["spec"]["hard"] == {"pods": "0"}


def test_a_runtime_class_keeps_its_handler() -> None:
    """Its tolerations differ."""
    old = made("runtimeclasses", handler="own")
    same = {"key": "a", "operator": "Exists"}
    new = made("runtimeclasses", handler="Other", scheduling={"tolerations": [same, same]})
    check, compare = strategy_of("runtimeclasses").validate, strategy_of("runtimeclasses").validate_update
    assert check is not None
    assert compare is not None
    found = told([*check(new), *compare(new, old)])
    assert found[1:] == [
        ("scheduling.tolerations[1]",
         'Duplicate value: {"Key":"a","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}'),
        ("handler", 'Invalid value: "Other": field is immutable'),
    ]  # fmt: skip


def test_leases_have_no_fields_of_elections() -> None:
    """They are off by default in Kubernetes."""
    assert made("leases", spec={"strategy": "x", "preferredHolder": "y", "holderIdentity": "z"})["spec"] == {
        "holderIdentity": "z"
    }


def event(api_version: str, **content: Any) -> JsonObject:
    """Return an Event."""
    return {"apiVersion": api_version, "kind": "Event", "metadata": {"name": "e", "namespace": "default"}, **content}


def test_the_newer_name_of_events_asks_for_more() -> None:
    """What is told of are core's fields."""
    assert EVENT.validate is not None
    assert list(EVENT.validate(event("events.k8s.io/v1", **NEW_STYLE))) == []
    poor = event("events.k8s.io/v1", regarding={"namespace": "default"}, deprecatedCount=1, series={"count": 1})
    assert told(EVENT.validate(poor)) == [
        ("series.count", 'Invalid value: "": should be at least 2'),
        ("series.lastObservedTime", "Required value"),
        ("eventTime", "Required value"),
        ("type", 'Invalid value: "": has invalid value: '),
        ("count", 'Invalid value: "": needs to be unset'),
    ]
    assert list(EVENT.validate(event("v1", involvedObject={"namespace": "default"}))) == []
    with pytest.raises(Invalid, match=r'Event "e" is invalid: involvedObject\.namespace'):
        EVENT.validate(event("v1", involvedObject={"namespace": "other"}))


def test_events_by_the_newer_name_only_gain_a_series() -> None:
    """By the older one they change freely."""
    old = event("events.k8s.io/v1", **NEW_STYLE)
    series = {"count": 2, "lastObservedTime": "2024-01-02T03:04:06.000000Z"}
    assert EVENT.validate_change is not None
    assert list(EVENT.validate_change({**old, "series": series}, old)) == []
    new = {**old, "note": "other", "regarding": {"namespace": "default", "name": "x"}}
    assert told(EVENT.validate_change(new, old)) == [
        ("message", 'Invalid value: "other": field is immutable'),
        ("involvedObject", 'Invalid value: {"Kind":"","Namespace":"default","Name":"x","UID":"","APIVersion":"",'
         '"ResourceVersion":"","FieldPath":""}: field is immutable'),
    ]  # fmt: skip
    core = event("v1", involvedObject={"namespace": "default"}, message="a")
    assert list(EVENT.validate_change({**core, "message": "b"}, core)) == []
