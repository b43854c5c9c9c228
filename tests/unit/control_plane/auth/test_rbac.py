"""RBAC as Kubernetes evaluates it."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.bootstrap import shared_policy
from fairlead_control_plane.auth.rbac import (
    Binding,
    ClusterRole,
    Index,
    Policy,
    Rule,
    compact,
    parse_binding,
    parse_cluster_role,
    parse_rules,
)

ALICE = User("alice", ("dev", "system:authenticated"))


def info(
    verb: str, resource: str, *, group: str = "", namespace: str = "", name: str = "", sub: str = ""
) -> RequestInfo:
    return RequestInfo("root", "", verb, True, group, "v1", namespace, resource, subresource=sub, name=name)


def rule(**fields: list[str]) -> JsonObject:
    return {"verbs": ["get"], "apiGroups": [""], **fields}


def index(
    rules: list[JsonObject], *, namespace: str = "", subject: tuple[str, str, str] = ("User", "", "alice")
) -> Index:
    role = ClusterRole("r", parse_rules(rules))
    return Index(Policy({"r": role}, {}, (Binding(namespace, "b", "ClusterRole", "r", (subject,)),)), Policy())


@pytest.mark.parametrize(
    ("resources", "resource", "sub", "allowed"),
    [
        (["pods"], "pods", "", True),
        (["pods"], "pods", "log", False),
        (["pods/log"], "pods", "log", True),
        (["pods/log"], "pods", "", False),
        (["*"], "pods", "log", True),
        (["*/scale"], "deployments", "scale", True),
        (["*/scale"], "deployments", "status", False),
        (["*/scale"], "deployments", "", False),
        (["pods/*"], "pods", "log", False),
    ],
)
def test_matches_resources_and_subresources(resources: list[str], resource: str, sub: str, *, allowed: bool) -> None:
    """``*`` is everything, ``*/x`` every resource's x, ``pods`` not its subresources; ``pods/*`` is no pattern."""
    found = index([rule(resources=resources)]).user(ALICE).allows(info("get", resource, sub=sub))
    assert (found is not None) is allowed


def test_resource_names_need_a_name() -> None:
    """A rule with names does not cover lists or creates, which carry none."""
    user = index([rule(verbs=["*"], resources=["configmaps"], resourceNames=["a"])]).user(ALICE)
    assert user.allows(info("get", "configmaps", name="a"))
    assert not user.allows(info("get", "configmaps", name="b"))
    assert not user.allows(info("list", "configmaps"))


def test_a_role_binding_holds_in_its_namespace_only() -> None:
    """Neighbouring names are other namespaces; cluster-scoped requests are not covered."""
    user = index([rule(resources=["*"])], namespace="team").user(ALICE)
    assert user.allows(info("get", "pods", namespace="team"))
    assert not user.allows(info("get", "pods", namespace="team-b"))
    assert not user.allows(info("get", "nodes"))


def test_urls_match_exactly_or_by_a_trailing_star() -> None:
    """Only cluster-wide bindings give paths."""
    rules = [{"verbs": ["get"], "nonResourceURLs": ["/api", "/openapi/*"]}]
    user = index(rules).user(ALICE)
    assert user.allows_url("get", "/api")
    assert user.allows_url("get", "/openapi/v2")
    assert not user.allows_url("get", "/api/v1")
    assert not user.allows_url("post", "/api")
    assert not index(rules, namespace="team").user(ALICE).allows_url("get", "/api")


def test_subjects_are_users_groups_and_service_accounts() -> None:
    """A service account is found by its user name; a user of a group's name is not in the group."""
    account = User("system:serviceaccount:ns:sa", ("system:serviceaccounts",))
    rules = [rule(resources=["pods"])]
    assert index(rules, subject=("ServiceAccount", "ns", "sa")).user(account).allows(info("get", "pods"))
    assert index(rules, subject=("Group", "", "dev")).user(ALICE).allows(info("get", "pods"))
    assert not index(rules, subject=("Group", "", "alice")).user(ALICE).allows(info("get", "pods"))


def test_says_why_as_kubernetes_does() -> None:
    """The texts that SubjectAccessReview shows."""
    found = index([rule(resources=["pods"])], namespace="ns").user(ALICE).allows(info("get", "pods", namespace="ns"))
    assert found == 'RBAC: allowed by RoleBinding "ns/b" of ClusterRole "r" to User "alice"'


def test_an_aggregated_role_is_made_of_what_its_selectors_match() -> None:
    """Local roles add to the shared ``view``, and through it to ``edit`` and ``admin``."""
    widgets = parse_cluster_role(
        {
            "metadata": {"name": "w", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
            "rules": [{"verbs": ["get"], "apiGroups": ["example.io"], "resources": ["widgets"]}],
        }
    )
    binding = Binding("", "b", "ClusterRole", "admin", (("User", "", "alice"),))
    user = Index(Policy({"w": widgets}, {}, (binding,)), shared_policy(workspaces=False)).user(ALICE)
    assert user.allows(info("get", "widgets", group="example.io"))
    assert user.allows(info("delete", "configmaps"))
    assert not user.allows(info("delete", "nodes"))


def test_a_role_that_aggregates_itself_ends() -> None:
    """Two roles that select each other's labels do not recurse for ever."""
    selector = {"matchLabels": {"x": "y"}}
    roles = {
        name: ClusterRole(name, parse_rules([rule(resources=[name])]), {"x": "y"}, (selector,)) for name in ("a", "b")
    }
    assert Index(Policy(roles), Policy()).cluster_role_rules("a") == ()


def test_everybody_may_discover_and_ask_about_themselves() -> None:
    """Kubernetes' defaults, read from the data file."""
    user = Index(Policy(), shared_policy(workspaces=True)).user(ALICE)
    assert user.allows_url("get", "/openapi/v3/apis/apps/v1")
    assert user.allows(info("create", "selfsubjectaccessreviews", group="authorization.k8s.io"))
    assert not user.allows(info("list", "configmaps", namespace="default"))
    assert not user.allows_url("access", "/")


def test_compact_rules_read_as_in_kubernetes() -> None:
    """The form that escalation errors print."""
    found = compact(Rule(frozenset({"get"}), frozenset({""}), frozenset({"pods"})))
    assert found == '{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'


def test_binding_subjects_may_be_missing() -> None:
    """``subjects`` is optional."""
    assert parse_binding({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"}}).subjects == ()
