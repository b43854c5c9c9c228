"""Admission policies, and requests that they are asked about, for both servers."""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject

_RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
_BIG = "x" * 4000


def policy(*validations: JsonObject, **spec: Any) -> JsonObject:
    """Return the spec of a policy about config maps; ``rule`` changes what it is about."""
    rule = {**_RULE, **spec.pop("rule", {})}
    matched = {"resourceRules": [rule], **spec.pop("matched", {})}
    return {"matchConstraints": matched, "validations": list(validations), **spec}


def says(expression: str, **more: Any) -> JsonObject:
    """Return one validation."""
    return {"expression": expression, **more}


_NO = says("false", message="no")

POLICIES: dict[str, JsonObject] = {
    "plain": policy(says("object.data.a == 'b'")),
    "worded": policy(says("object.data.a == 'b'", message="  a must be b  ", reason="Forbidden")),
    "computed": policy(says("object.data.a == 'b'", messageExpression="'a is ' + object.data.a", message="fixed")),
    "computed-error": policy(
        says("object.data.a == 'b'", messageExpression="string(object.data.nothing)", message="fixed")
    ),
    "computed-lines": policy(says("object.data.a == 'b'", messageExpression=r"'a\nb'")),
    "computed-blank": policy(says("object.data.a == 'b'", messageExpression="'  '")),
    "too-large": policy(says("object.data.a == 'b'", reason="RequestEntityTooLarge")),
    "several": policy(says("has(object.data.x)", message="first"), says("has(object.data.y)", message="second")),
    "absent": policy(says("object.data.nothing == 'b'")),
    "lenient": policy(says("object.data.nothing == 'b'"), says("object.data.a == 'b'"), failurePolicy="Ignore"),
    "conditions": policy(_NO, matchConditions=[{"name": "when", "expression": "object.data.a == 'deny'"}]),
    "condition-error": policy(_NO, matchConditions=[{"name": "when", "expression": "object.data.nothing == 'deny'"}]),
    "condition-errors": policy(
        _NO,
        matchConditions=[
            {"name": "one", "expression": "object.data.nothing == 'deny'"},
            {"name": "two", "expression": "oldObject.data.a == 'deny'"},
        ],
    ),
    "condition-false": policy(
        _NO,
        matchConditions=[
            {"name": "one", "expression": "object.data.nothing == 'deny'"},
            {"name": "two", "expression": "false"},
        ],
    ),
    "condition-lenient": policy(
        _NO, failurePolicy="Ignore", matchConditions=[{"name": "one", "expression": "object.data.nothing == 'deny'"}]
    ),
    "condition-namespace": policy(_NO, matchConditions=[{"name": "one", "expression": "namespaceObject == null"}]),
    "variables": policy(
        says("variables.long"),
        says("variables.names.all(name, name != 'bad')", messageExpression="'found ' + variables.text"),
        variables=[
            {"name": "text", "expression": "object.data.a"},
            {"name": "long", "expression": "size(variables.text) > 2"},
            {"name": "names", "expression": "object.data.map(key, object.data[key])"},
        ],
    ),
    "variable-error": policy(
        says("variables.a == 'b'"), variables=[{"name": "a", "expression": "object.data.nothing"}]
    ),
    "variable-null": policy(says("variables.a == null"), variables=[{"name": "a", "expression": "oldObject"}]),
    "request": policy(
        says("request.operation == 'CREATE'"),
        says("request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps'"),
        says("!has(request.subResource) && request.namespace == 'default' && request.dryRun"),
        says("request.userInfo.username == 'nobody'", messageExpression="string(size(request.name))"),
        says("has(request.options.dryRun)", messageExpression="string(request.options.kind)"),
    ),
    "namespace": policy(
        says("namespaceObject.metadata.name == 'default'"),
        says("has(namespaceObject.metadata.labels) && namespaceObject.status.phase == 'Gone'", message="phase"),
    ),
    "authorizer": policy(
        says("authorizer.group('').resource('configmaps').namespace('default').check('delete').allowed()"),
        says("authorizer.requestResource.check('get').allowed()"),
        says("authorizer.serviceAccount('default', 'nobody').group('').resource('secrets').check('get').allowed()"),
    ),
    "updates": policy(says("object.data.a == oldObject.data.a", message="fixed"), rule={"operations": ["UPDATE"]}),
    "deletes": policy(says("oldObject.data.a != 'keep'", message="kept"), rule={"operations": ["DELETE"]}),
    "budget": policy(
        says("object.data.big.split('').all(a, object.data.big.split('').all(b, object.data.big.split('').size() > 0))")
    ),
    "budget-several": policy(
        *[says("object.data.big.split('').all(a, object.data.big.contains('y') || a.size() > 0)")] * 30
    ),
    "annotated": {
        **policy(),
        "validations": [],
        "auditAnnotations": [{"key": "seen", "valueExpression": "string(object.data.nothing)"}],
    },
    "annotated-null": {**policy(), "auditAnnotations": [{"key": "seen", "valueExpression": "null"}]},
    "warned": policy(says("object.data.a == 'b'", message="warned of"), says("has(object.data.y)")),
    "audited": policy(says("object.data.a == 'b'")),
    "named": policy(_NO, rule={"resourceNames": ["named-one"]}),
    "excluded": policy(
        _NO,
        matched={"excludeResourceRules": [{**_RULE, "resourceNames": ["excluded-one"]}]},
    ),
    "other-kind": policy(_NO, rule={"resources": ["secrets"]}),
    "elsewhere": policy(_NO, matched={"namespaceSelector": {"matchLabels": {"no": "where"}}}),
    "here": policy(
        _NO,
        matched={
            "namespaceSelector": {
                "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["default"]}]
            }
        },
    ),
    "clustered": policy(_NO, rule={"scope": "Cluster"}),
    "namespaced": policy(_NO, rule={"scope": "Namespaced"}),
    "unknown-params": policy(says("params.a == 'b'"), paramKind={"apiVersion": "nowhere.io/v1", "kind": "Nothing"}),
    "params": policy(
        says("params.data.least <= object.data.a", messageExpression="'at least ' + params.data.least"),
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
    ),
    "params-missing": policy(says("params.a == 'b'"), paramKind={"apiVersion": "v1", "kind": "ConfigMap"}),
    "params-optional": policy(_NO, paramKind={"apiVersion": "v1", "kind": "ConfigMap"}),
    "params-selected": policy(
        says("params.data.not != object.data.a", messageExpression="'not ' + params.data.not"),
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
    ),
    "params-unset": policy(
        says("params == null", message="there are some"), paramKind={"apiVersion": "v1", "kind": "ConfigMap"}
    ),
    "params-clustered": policy(_NO, paramKind={"apiVersion": "v1", "kind": "Node"}),
    "wide": policy(_NO, rule={"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}),
    "libraries": policy(
        says("quantity(object.data.q).isLessThan(quantity('2Gi'))"),
        says("url(object.data.u).getScheme() == 'https'"),
        says("ip(object.data.i).family() == 4"),
        says("timestamp('2024-07-01T12:00:00Z').getHours('Europe/Berlin') == 13", message="summer"),
    ),
}

BINDINGS: dict[str, JsonObject] = {
    "warned": {"validationActions": ["Warn", "Audit"]},
    "audited": {"validationActions": ["Audit"]},
    "params": {"paramRef": {"name": "bounds", "namespace": "default", "parameterNotFoundAction": "Deny"}},
    "params-missing": {"paramRef": {"name": "nothing", "parameterNotFoundAction": "Deny"}},
    "params-optional": {"paramRef": {"name": "nothing", "parameterNotFoundAction": "Allow"}},
    "params-selected": {
        "paramRef": {"selector": {"matchLabels": {"role": "bound"}}, "parameterNotFoundAction": "Deny"}
    },
    "params-clustered": {
        "paramRef": {"name": "n", "namespace": "default", "parameterNotFoundAction": "Deny"},
    },
    "unknown-params": {"paramRef": {"name": "x", "parameterNotFoundAction": "Deny"}},
    "namespaced": {
        "matchResources": {"resourceRules": [{**_RULE, "operations": ["CREATE"], "resourceNames": ["namespaced-one"]}]}
    },
}

DATA: dict[str, list[JsonObject]] = {
    "budget": [{"big": _BIG}],
    "budget-several": [{"big": _BIG}],
    "conditions": [{"a": "deny"}, {"a": "allow"}],
    "variables": [{"a": "b"}, {"a": "bad"}, {"a": "good"}],
    "params": [{"a": "1"}, {"a": "7"}],
    "params-selected": [{"a": "1"}, {"a": "2"}, {"a": "3"}],
    "libraries": [
        {"q": "1Gi", "u": "https://x", "i": "1.2.3.4"},
        {"q": "3Gi", "u": "https://x", "i": "1.2.3.4"},
        {"q": "x", "u": "https://x", "i": "1.2.3.4"},
        {"q": "1", "u": "ftp://x", "i": "1.2.3.4"},
        {"q": "1", "u": "https://x", "i": "::1"},
    ],
}
"""What config maps hold that are created; ``[{"a": "b"}, {"a": "c"}]`` unless something is said."""

_OBJECT = "applyConfiguration"


def applied(*expressions: str, **spec: Any) -> JsonObject:
    """Return the spec of a policy that merges."""
    mutations = [{"patchType": "ApplyConfiguration", _OBJECT: {"expression": each}} for each in expressions]
    return _mutating(mutations, spec)


def patched(*expressions: str, **spec: Any) -> JsonObject:
    """Return the spec of a policy that patches."""
    mutations = [{"patchType": "JSONPatch", "jsonPatch": {"expression": each}} for each in expressions]
    return _mutating(mutations, spec)


def _mutating(mutations: list[JsonObject], spec: JsonObject) -> JsonObject:
    rule = {**_RULE, "operations": ["CREATE", "UPDATE"], **spec.pop("rule", {})}
    matched = {"resourceRules": [rule]}
    return {"matchConstraints": matched, "reinvocationPolicy": "Never", "mutations": mutations, **spec}


_ADD = 'JSONPatch{op: "add", path: "/data/%s", value: %s}'

MUTATING: dict[str, JsonObject] = {
    "m-apply": applied('Object{data: {"x": "y"}}'),
    "m-apply-labels": applied('Object{metadata: Object.metadata{labels: {"added": object.data.a}}}'),
    "m-patch": patched(f"[{_ADD % ('x', 'object.data.a')}]"),
    "m-patch-escaped": patched(
        '[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a.io/b"), value: "c"}]'
    ),
    "m-patch-test": patched(
        f'[JSONPatch{{op: "test", path: "/data/a", value: "b"}}, {_ADD % ("x", chr(34) + "was b" + chr(34))}]'
    ),
    "m-patch-wrong": patched('[JSONPatch{op: "remove", path: "/data/nothing"}]'),
    "m-patch-path": patched('[JSONPatch{op: "add", path: "/spec/nothing/there", value: 1}]'),
    "m-patch-index": patched('[JSONPatch{op: "add", path: "/metadata/finalizers/0", value: "a"}]'),
    "m-patch-move": patched('[JSONPatch{op: "move", from: "/spec/a", path: "/data/b"}]'),
    "m-patch-copy": patched('[JSONPatch{op: "copy", from: "/data/a", path: "/data/b"}]'),
    "m-patch-gone": patched('[JSONPatch{op: "test", path: "/spec/a", value: 1}]'),
    "m-patch-kind": patched('[JSONPatch{op: "turn", path: "/data/a"}]'),
    "m-undeclared": applied('Object{nothing: "y"}'),
    "m-type": applied("Object{data: 1}"),
    "m-misnamed": applied("Object{metadata: Object.spec{}}"),
    "m-error": applied("Object{data: {'x': object.data.nothing}}"),
    "m-lenient": applied(
        "Object{data: {'x': object.data.nothing}}", "Object{data: {'z': 'z'}}", failurePolicy="Ignore"
    ),
    "m-both": applied("Object{data: {'n': 'one'}}", "Object{data: {'m': object.data.n + '!'}}"),
    "m-again": applied(
        "Object{data: {'count': string(int(has(object.data.count) ? object.data.count : '0') + 1)}}",
        reinvocationPolicy="IfNeeded",
        rule={"resourceNames": []},
    ),
    "m-condition": applied(
        "Object{data: {'x': 'y'}}", matchConditions=[{"name": "when", "expression": "object.data.a == 'b'"}]
    ),
    "m-variables": applied(
        "Object{data: {'x': variables.y}}", variables=[{"name": "y", "expression": "object.data.a + '?'"}]
    ),
    "m-immutable": applied("Object{immutable: true}"),
}

_DEPLOYMENTS = {"apiGroups": ["apps"], "resources": ["deployments"]}
DEPLOYMENTS: dict[str, JsonObject] = {
    "d-sidecar": applied(
        """Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
            initContainers: [Object.spec.template.spec.initContainers{
                name: "mesh", image: "mesh:1", restartPolicy: "Always"}]}}}}""",
        rule=_DEPLOYMENTS,
    ),
    "d-env": applied(
        """Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
            containers: object.spec.template.spec.containers.map(c, Object.spec.template.spec.containers{
                name: c.name, env: [Object.spec.template.spec.containers.env{name: "A", value: "b"}]})}}}}""",
        rule=_DEPLOYMENTS,
    ),
    "d-atomic": applied(
        """Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
            containers: [Object.spec.template.spec.containers{name: "c", args: ["x"]}]}}}}""",
        rule=_DEPLOYMENTS,
    ),
    "d-replicas": patched(
        '[JSONPatch{op: "replace", path: "/spec/replicas", value: object.spec.replicas + 2}]', rule=_DEPLOYMENTS
    ),
    "d-append": patched(
        """[JSONPatch{op: "add", path: "/spec/template/spec/containers/-",
            value: Object.spec.template.spec.containers{name: "more", image: "more:1"}}]""",
        rule=_DEPLOYMENTS,
    ),
}

SCALED = policy(
    says(
        "object.kind == 'Scale' && object.spec.replicas <= 5", messageExpression="'not ' + string(object.spec.replicas)"
    ),
    says("request.kind.kind == 'Scale' && request.subResource == 'scale' && oldObject.spec.replicas < 4"),
    says("object.status.selector == 'app=scaled' && !has(object.metadata.labels)", message="selector"),
    rule={"apiGroups": ["apps"], "resources": ["deployments/scale"]},
)
EVICTED = policy(
    says("request.kind.kind == 'Eviction' && object.metadata.name == 'other'", message="stays"),
    rule={"resources": ["pods/eviction"]},
)

_MATCH = {"resourceRules": [_RULE]}
WRONG: dict[str, JsonObject] = {
    "nothing": {},
    "no-rules": {"matchConstraints": {}, "validations": [_NO]},
    "nothing-validated": {"matchConstraints": _MATCH},
    "failure": policy(_NO, failurePolicy="Perhaps"),
    "policy": policy(_NO, matched={"matchPolicy": "Perhaps"}),
    "selector": policy(_NO, matched={"namespaceSelector": {"matchLabels": {"a b": "c d"}}}),
    "expression": policy(_NO, matched={"objectSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}),
    "empty-rule": {"matchConstraints": {"resourceRules": [{}]}, "validations": [_NO]},
    "operations": policy(_NO, rule={"operations": ["*", "CREATE", "create"]}),
    "groups": policy(_NO, rule={"apiGroups": ["*", "apps"], "apiVersions": ["*", "", "v1"]}),
    "resources": policy(_NO, rule={"resources": ["*", "pods", "pods/*", "pods/status", "*/status", "jobs/status", ""]}),
    "any": policy(_NO, rule={"resources": ["*/*", "pods"]}),
    "scope": policy(_NO, rule={"scope": "Everywhere", "resourceNames": ["a", "a", "b/c"]}),
    "syntax": policy(says("object.data.")),
    "undeclared": policy(says("nothing == 1"), says("params.a"), says("variables.a")),
    "type": policy(says("1"), says("object.data"), says("'a' + 1 == 2")),
    "constant": policy(says("int('a') == 1"), says("'a'.matches('(')")),
    "request-field": policy(says("request.nothing == 1"), says("namespaceObject.spec.nothing == 1")),
    "empty-expression": policy(says(" "), {}),
    "messages": policy(
        says("true", message=" "),
        says("true", message="a\nb"),
        says("true", messageExpression=" "),
        says("true", messageExpression="1"),
        says("true", messageExpression="authorizer.path('/').check('get').reason()"),
        says("true", reason="Perhaps"),
    ),
    "conditions": policy(
        _NO,
        matchConditions=[
            {"name": "a", "expression": "true"},
            {"name": "a", "expression": "1"},
            {"name": "a b", "expression": " "},
            {"expression": "variables.a"},
        ],
    ),
    "many-conditions": policy(_NO, matchConditions=[{"name": f"n{i}", "expression": "true"} for i in range(65)]),
    "variables": policy(
        says("variables.later == 1 || variables.ok == 'a'"),
        variables=[
            {"name": "ok", "expression": "variables.later"},
            {"name": "later", "expression": "1"},
            {"name": "in", "expression": "1"},
            {"name": "a-b", "expression": "nothing"},
            {"name": "text", "expression": " "},
            {"name": "", "expression": "1"},
        ],
    ),
    "variable-types": policy(
        says("variables.number == 'a'"),
        says("variables.texts.all(t, t == 1)"),
        says("variables.when == 1"),
        says("variables.size.isLessThan(1)"),
        variables=[
            {"name": "number", "expression": "1"},
            {"name": "texts", "expression": "['a']"},
            {"name": "when", "expression": "timestamp('2020-01-01T00:00:00Z')"},
            {"name": "size", "expression": "quantity('1')"},
        ],
    ),
    "annotations": {
        **policy(),
        "auditAnnotations": [
            {"key": "a", "valueExpression": "'a'"},
            {"key": "a", "valueExpression": "1"},
            {"key": "a b", "valueExpression": " "},
            {"key": "c", "valueExpression": "nothing"},
            {"key": "d", "valueExpression": "'" + "x" * 6000 + "'"},
        ],
    },
    "param-kind": policy(_NO, paramKind={"apiVersion": "A B/v1/x", "kind": "a b"}),
    "param-kind-empty": policy(_NO, paramKind={}),
    "param-kind-group": policy(_NO, paramKind={"apiVersion": "a_b/1", "kind": "Thing"}),
    "param-kind-version": policy(_NO, paramKind={"apiVersion": "a.b/", "kind": "Thing"}),
}

WRONG_BINDINGS: dict[str, JsonObject] = {
    "nothing": {},
    "name": {"policyName": "A B", "validationActions": ["Deny"]},
    "actions": {"policyName": "a", "validationActions": ["Deny", "Warn", "Deny", "Perhaps"]},
    "param": {"policyName": "a", "validationActions": ["Deny"], "paramRef": {}},
    "params": {
        "policyName": "a",
        "validationActions": ["Deny"],
        "paramRef": {"name": "a/b", "selector": {"matchLabels": {"a b": "c"}}, "parameterNotFoundAction": "Perhaps"},
    },
    "matched": {"policyName": "a", "validationActions": ["Deny"], "matchResources": {"resourceRules": [{}]}},
}

WRONG_MUTATING: dict[str, JsonObject] = {
    "nothing": {},
    "operations": applied("Object{}", rule={"operations": ["DELETE", "CREATE"]}),
    "again": applied("Object{}", reinvocationPolicy="Often"),
    "none": {**applied("Object{}"), "mutations": []},
    "types": {
        **applied("Object{}"),
        "mutations": [
            {},
            {"patchType": "Merge"},
            {"patchType": "JSONPatch"},
            {"patchType": "ApplyConfiguration"},
            {"patchType": "JSONPatch", "jsonPatch": {"expression": " "}, _OBJECT: {"expression": "Object{}"}},
            {"patchType": "ApplyConfiguration", "jsonPatch": {"expression": "[]"}, _OBJECT: {"expression": "1"}},
        ],
    },
    "expressions": applied("object", "Object.spec{}", "Object{data: 1}.data", "nothing", "JSONPatch{}"),
    "patches": patched("[]", "Object{}", "[JSONPatch{op: 1}]", "[JSONPatch{op: 'add'}, 1]", "jsonpatch.escapeKey(1)"),
}
