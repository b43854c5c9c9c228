"""Whom policies are asked about, whose they are, when they take effect, and what they cost where there are none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Forbidden, Invalid, RequestTooLarge
from fairlead_api.request import SYSTEM, User
from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.policies.composing import admission_policies
from fairlead_control_plane.admission.policies.plugin import Surroundings
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.catalog import StaticCatalog
from fairlead_control_plane.kinds.record import Resource
from fairlead_schema.cel.libraries.authz import Decision, Question
from tests.unit.control_plane.in_process import CONFIG_MAPS, SECRETS, Api, in_process, known

GROUP = "admissionregistration.k8s.io"
ALICE = User("alice", ("system:authenticated",))
RULE = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}


@dataclass
class World:
    """An API with policies that are asked by hand, and the questions that were asked about rights."""

    api: Api
    chain: Chain
    asked: list[Question]

    async def policy(self, expression: str = "false", cluster: str = "root", **spec: Any) -> None:
        """Make a policy called ``p``, and bind it."""
        given = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": expression}], **spec}
        await self.make("validatingadmissionpolicies", given, cluster)
        await self.make(
            "validatingadmissionpolicybindings", {"policyName": "p", "validationActions": ["Deny"]}, cluster
        )

    async def mutation(self, expression: str, name: str = "p", **spec: Any) -> None:
        """Make a policy that merges, and bind it."""
        mutations = [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}]
        given = {"matchConstraints": {"resourceRules": [RULE]}, "reinvocationPolicy": "Never", "mutations": mutations}
        await self.make("mutatingadmissionpolicies", {**given, **spec}, name=name)
        await self.make("mutatingadmissionpolicybindings", {"policyName": name}, name=name)

    async def make(self, plural: str, spec: JsonObject, cluster: str = "root", name: str = "p") -> None:
        """Make an object of the group."""
        kind = known(GROUP, plural)
        obj = {"apiVersion": f"{GROUP}/v1", "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
        await self.api.registry.create(kind, cluster, obj)

    async def write(self, resource: Resource = CONFIG_MAPS, user: User = ALICE, **more: Any) -> Attributes:
        """Ask the policies about a create, or what ``more`` says."""
        obj = {"apiVersion": "v1", "kind": resource.kind, "metadata": {"name": "a"}, "data": {"a": "b"}}
        given: JsonObject = {"operation": "CREATE", "cluster": "root", "namespace": "default", "obj": obj, "old": None}
        given |= more
        attributes = Attributes(resource=resource, version="v1", name="a", subresource="", user=user, **given)
        await self.chain.admit(attributes)
        await self.chain.validate(attributes)
        return attributes


@asynccontextmanager
async def world(*, allowed: bool = True) -> AsyncIterator[World]:
    """Give an API and its policies; every question about rights is answered alike."""
    asked: list[Question] = []

    async def ask(_user: User, _cluster: str, question: Question) -> Decision:
        asked.append(question)
        return Decision(allowed)

    async with in_process() as api:
        catalog = StaticCatalog(builtin_resources("cluster"))
        policies = admission_policies(Surroundings(api.store, catalog, ask), known)
        try:
            yield World(api, Chain(policies.plugins), asked)
        finally:
            policies.close()


async def test_a_policy_holds_at_once_and_no_longer_than_it_is_bound() -> None:
    """There is no moment between the answer to its create and its effect."""
    async with world() as given:
        await given.write()
        await given.policy()
        with pytest.raises(Invalid, match="ValidatingAdmissionPolicy 'p' with binding 'p' denied request: failed expr"):
            await given.write()
        await given.api.registry.delete(known(GROUP, "validatingadmissionpolicybindings"), "root", "", "p")
        await given.write()


async def test_what_was_there_before_the_start_holds() -> None:
    """The first write finds the policies of an earlier run."""
    async with world() as given:
        await given.policy()
        async with in_process():
            later = admission_policies(Surroundings(given.api.store, StaticCatalog(()), _never), known)
            try:
                with pytest.raises(Invalid):
                    await replace(given, chain=Chain(later.plugins)).write()
            finally:
                later.close()


async def _never(_user: User, _cluster: str, _question: Question) -> Decision:
    raise AssertionError


async def test_a_policy_is_its_workspaces_own() -> None:
    """Another workspace knows nothing of it."""
    async with world() as given:
        await given.policy(cluster="other")
        await given.write()
        with pytest.raises(Invalid):
            await given.write(cluster="other", namespace="")


async def test_bound_apis_obey_the_exports_workspace() -> None:
    """The provider's policies decide about objects of its API, and the consumer's do not."""
    bound = replace(CONFIG_MAPS, group="example.com", owner="provider/export", origin="bound", namespaced=False)
    async with world() as given:
        await given.policy()
        await given.write(bound, namespace="")
        await given.policy(cluster="provider")
        with pytest.raises(Invalid):
            await given.write(bound, namespace="")


@pytest.mark.parametrize("cluster", ["root", "provider"])
async def test_bound_kinds_of_kubernetes_obey_both(cluster: str) -> None:
    """To the users of a workspace its Deployments are its own, wherever they came from."""
    bound = replace(known("apps", "deployments"), owner="provider/kubernetes", origin="bound")
    async with world() as given:
        await given.write(bound)
        await given.policy(cluster=cluster)
        with pytest.raises(Invalid):
            await given.write(bound)


@pytest.mark.parametrize("user", [SYSTEM, User("system:fairlead:syncer:u", ("system:fairlead:syncers",), "u")])
async def test_the_control_plane_and_agents_are_not_asked(user: User) -> None:
    """What keeps workspaces and statuses true must not depend on what tenants allow."""
    async with world() as given:
        await given.policy()
        await given.write(user=user)


async def test_policies_are_not_about_policies() -> None:
    """Whoever made a mistake can take it back."""
    async with world() as given:
        await given.policy()
        await given.write(known(GROUP, "validatingadmissionpolicies"), namespace="", user=ALICE)


@pytest.mark.parametrize(
    ("reason", "of"), [("Forbidden", Forbidden), ("Invalid", Invalid), ("RequestEntityTooLarge", RequestTooLarge)]
)
async def test_the_reason_is_the_answers(reason: str, of: type[ApiError]) -> None:
    """A policy may choose between three answers."""
    async with world() as given:
        await given.policy(validations=[{"expression": "false", "message": "no", "reason": reason}])
        with pytest.raises(of) as refused:
            await given.write()
        assert [cause.as_json().keys() for cause in refused.value.causes] == [{"message"}]


async def test_rights_are_looked_up_once_each() -> None:
    """An expression that asks is evaluated again with the answer."""
    text = "authorizer.requestResource.check('delete').allowed() && authorizer.path('/x').check('get').allowed()"
    async with world() as given:
        await given.policy(text)
        await given.write()
        assert [(one.verb, one.path, one.resource) for one in given.asked] == [
            ("delete", "", "configmaps"),
            ("get", "/x", ""),
        ]
    async with world(allowed=False) as given:
        await given.policy(text)
        with pytest.raises(Invalid):
            await given.write()


async def test_long_work_is_done_and_bounded() -> None:
    """What is too long for the event loop is done in a thread, and ends where Kubernetes ends it."""
    big = {"metadata": {"name": "a"}, "data": {"big": "x" * 300}}
    each = "object.data.big.split('')"
    async with world() as given:
        await given.policy(f"{each}.all(a, {each}.all(b, b == 'x'))")
        await given.write(obj=big)
        big["data"] = {"big": "x" * 3000}
        with pytest.raises(Invalid, match="actual cost limit exceeded"):
            await given.write(obj=big)


async def test_only_secrets_when_only_secrets_are_named() -> None:
    """Rules are about group, version, resource and operation."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["secrets"]}
    async with world() as given:
        await given.policy(matchConstraints={"resourceRules": [rule]})
        await given.write()
        await given.write(SECRETS)
        with pytest.raises(Invalid):
            await given.write(SECRETS, operation="UPDATE", old={"metadata": {"name": "a"}})


async def test_deletes_have_no_object() -> None:
    """Nobody may keep a policy from seeing what is deleted."""
    async with world() as given:
        await given.policy("object != null || oldObject.data.a != 'b'")
        old = {"metadata": {"name": "a"}, "data": {"a": "b"}}
        with pytest.raises(Invalid, match='configmaps "a" is forbidden'):
            await given.write(operation="DELETE", obj=None, old=old)
        with pytest.raises(Invalid, match='configmaps "Unknown" is forbidden'):
            await given.write(operation="DELETE", obj=None, old=old, is_one_of_many=True)


async def test_mutations_come_before_validation() -> None:
    """What one policy adds, another one sees, and defaults are filled in."""
    async with world() as given:
        await given.mutation("Object{data: {'x': 'y'}}")
        await given.policy("object.data.x == 'y'")
        written = await given.write()
        assert written.obj is not None
        assert written.obj["data"] == {"a": "b", "x": "y"}


async def test_policies_that_ask_for_it_see_what_later_ones_did() -> None:
    """They are applied once more, and only they."""
    count = "Object{data: {'%s': string(int(has(object.data.%s) ? object.data.%s : '0') + 1)}}"
    async with world() as given:
        await given.mutation(count % (("first",) * 3), "a", reinvocationPolicy="IfNeeded")
        await given.mutation(count % (("second",) * 3), "b")
        written = await given.write()
        assert written.obj is not None
        assert written.obj["data"] == {"a": "b", "first": "2", "second": "1"}


async def test_a_mutation_that_cannot_be_made_refuses() -> None:
    """Unless failures are to be ignored."""
    async with world() as given:
        await given.mutation("Object{nothing: 1}")
        with pytest.raises(
            Forbidden, match="policy 'p' with binding 'p' denied request: error applying patch"
        ) as found:
            await given.write()
        assert (found.value.code, found.value.reason) == (403, "Invalid")
    async with world() as given:
        await given.mutation("Object{nothing: 1}", failurePolicy="Ignore")
        await given.write()


async def test_who_binds_parameters_must_be_allowed_to_read_them() -> None:
    """Else a policy's words would tell what they hold."""
    kind = known(GROUP, "validatingadmissionpolicies")
    obj = {"metadata": {"name": "a"}, "spec": {"paramKind": {"apiVersion": "v1", "kind": "Secret"}}}
    async with world(allowed=False) as given:
        with pytest.raises(Invalid, match=r'user &{alice  \[system:authenticated\] map\[\]} must have "get"'):
            await given.write(kind, namespace="", obj=obj)
        assert (given.asked[0].resource, given.asked[0].name) == ("secrets", "*")
        binding = known(GROUP, "validatingadmissionpolicybindings")
        bound = {"metadata": {"name": "a"}, "spec": {"policyName": "none", "paramRef": {"name": "x"}}}
        with pytest.raises(Invalid, match="unable to get policy none to determine"):
            await given.write(binding, namespace="", obj=bound)
    async with world() as given:
        await given.write(kind, namespace="", obj=obj)
