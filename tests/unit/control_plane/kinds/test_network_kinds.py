"""What is wrong with kinds of the network, and with changes of them, in Kubernetes' words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Cause, Invalid
from fairlead_control_plane.kinds.builtin import builtin_resource
from fairlead_control_plane.kinds.record import Resource

NET = "networking.k8s.io"
HEADS = {
    "services": ("", "v1", "Service"),
    "endpoints": ("", "v1", "Endpoints"),
    "endpointslices": ("discovery.k8s.io", "discovery.k8s.io/v1", "EndpointSlice"),
    "ingresses": (NET, f"{NET}/v1", "Ingress"),
    "ingressclasses": (NET, f"{NET}/v1", "IngressClass"),
    "networkpolicies": (NET, f"{NET}/v1", "NetworkPolicy"),
    "ipaddresses": (NET, f"{NET}/v1", "IPAddress"),
    "servicecidrs": (NET, f"{NET}/v1", "ServiceCIDR"),
}


def resource(plural: str) -> Resource:
    """Return the kind."""
    found = builtin_resource(HEADS[plural][0], plural)
    assert found is not None
    return found


def made(plural: str, metadata: JsonObject | None = None, **content: Any) -> JsonObject:
    """Return a new object with its defaults, settled."""
    _, version, kind = HEADS[plural]
    head = {"name": "a", "namespace": "default", **(metadata or {})}
    obj = {"apiVersion": version, "kind": kind, "metadata": head, **copy.deepcopy(content)}
    strategy = resource(plural).strategy
    assert strategy.prepare_create is not None
    strategy.prepare_create(obj)
    if strategy.settle is not None:
        strategy.settle(obj, None)
    return obj


def changed(plural: str, old: JsonObject, **content: Any) -> JsonObject:
    """Return what an object becomes by an update, settled."""
    strategy, new = resource(plural).strategy, copy.deepcopy({**old, **content})
    assert strategy.prepare_update is not None
    strategy.prepare_update(new, old)
    if strategy.settle is not None:
        strategy.settle(new, old)
    return new


def told(causes: Any) -> list[tuple[str, str]]:
    """Return field and message of each cause once."""
    return [(one.field, one.message) for one in dict.fromkeys(causes)]


def said(plural: str, obj: JsonObject, old: JsonObject | None = None) -> list[tuple[str, str]]:
    """Return what is wrong with a new object, or with a change."""
    strategy = resource(plural).strategy
    if old is None:
        assert strategy.validate is not None
        return told(strategy.validate(obj))
    assert strategy.validate_change is not None
    return told(strategy.validate_change(obj, old))


def refused(plural: str, **content: Any) -> list[tuple[str, str]]:
    """Return what is wrong with content at once, be it before all else."""
    try:
        return said(plural, made(plural, **content))
    except Invalid as error:
        return told(error.causes)


PORT = {"port": 80}
NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        (
            {"ports": [PORT], "ipFamilies": ["IPv4", "IPv6"]},
            [
                (
                    "spec.ipFamilyPolicy",
                    "Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when "
                    "multiple IP families are specified",
                ),
            ],
        ),
        (
            {"ports": [PORT], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"], "type": "Foo"},
            [
                ("spec.clusterIPs", 'Invalid value: ["10.0.0.2"]: first value must match `clusterIP`'),
            ],
        ),
        (
            {"ports": [PORT], "clusterIP": "10.0.0.1", "ipFamilies": ["IPv6"]},
            [
                (
                    "spec.clusterIPs[0]",
                    'Invalid value: "10.0.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`',
                ),
            ],
        ),
        (
            {"ports": [PORT], "clusterIP": "01.0.0.1"},
            [
                ("spec.clusterIPs[0]", 'Invalid value: "01.0.0.1": must not have leading 0s'),
            ],
        ),
        (
            {"ports": [PORT], "externalIPs": ["127.0.0.1", "x"]},
            [
                (
                    "spec.externalIPs[0]",
                    'Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
                ),
                ("spec.externalIPs[1]", f'Invalid value: "x": {NO_IP}'),
            ],
        ),
        (
            {
                "ports": [PORT],
                "type": "LoadBalancer",
                "loadBalancerClass": "a b",
                "loadBalancerSourceRanges": ["10.0.0.1/8"],
            },
            [
                (
                    "spec.LoadBalancerSourceRanges[0]",
                    'Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length',
                ),
                (
                    "spec.loadBalancerClass",
                    "Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', "
                    "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
                    "'my.name',  or "
                    "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
                ),
            ],
        ),
        (
            {"ports": [PORT], "trafficDistribution": "Far", "healthCheckNodePort": 30000},
            [
                (
                    "spec.healthCheckNodePort",
                    "Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and "
                    "`externalTrafficPolicy` is 'Local'",
                ),
                (
                    "spec.trafficDistribution",
                    'Unsupported value: "Far": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"',
                ),
            ],
        ),
    ],
)
def test_services_are_refused_as_in_kubernetes(spec: JsonObject, causes: list[tuple[str, str]]) -> None:
    """Addresses and families come first and alone."""
    assert refused("services", spec=spec) == causes


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"clusterIP": "10.0.0.2"}, ("spec.clusterIPs[0]", 'Invalid value: ["10.0.0.2"]: may not change once set')),
        ({"healthCheckNodePort": 31000}, ("spec.healthCheckNodePort", "Forbidden: field is immutable")),
        ({"loadBalancerClass": "b.c/d"}, ("spec.loadBalancerClass", 'Invalid value: "b.c/d": may not change once set')),
    ],
)
def test_what_a_service_was_given_stays(change: JsonObject, cause: tuple[str, str]) -> None:
    """A client that leaves it out keeps it; one that changes it is refused."""
    given = {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "healthCheckNodePort": 30000}
    spec = {**given, "type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [PORT]}
    old = made("services", spec=spec)
    kept = changed("services", old, spec={key: value for key, value in spec.items() if key not in given})
    assert said("services", kept, old) == []
    assert {key: kept["spec"][key] for key in given} == given
    assert said("services", changed("services", old, spec={**spec, **change}), old) == [cause]


def test_only_load_balancers_have_addresses_of_one() -> None:
    """Their form is checked, and they go with the type."""
    check = resource("services").strategy.subresources["status"].validate
    assert check is not None
    old = made("services", spec={"ports": [PORT], "type": "LoadBalancer"})
    new = {**old, "status": {"loadBalancer": {"ingress": [{"ip": "x"}, {"hostname": "10.0.0.1"}, {"ipMode": "VIP"}]}}}
    path = "status.loadBalancer.ingress"
    assert told(check(new, old)) == [
        (f"{path}[0].ip", f'Invalid value: "x": {NO_IP}'),
        (f"{path}[0].ipMode", "Required value: must be specified when `ip` is set"),
        (f"{path}[1].hostname", 'Invalid value: "10.0.0.1": must be a DNS name, not an IP address'),
        (f"{path}[2].ipMode", "Forbidden: may not be specified when `ip` is not set"),
    ]
    plain = {**new, "spec": {**new["spec"], "type": "ClusterIP"}}
    assert told(check(plain, old)) == [(path, "Forbidden: may only be used when `spec.type` is 'LoadBalancer'")]


def test_endpoints_need_addresses_that_can_be_reached() -> None:
    """What has not been changed may stay as it is."""
    old = made("endpoints", subsets=[{"ports": [{"port": 0}, {"port": 1, "name": "A"}]}])
    assert said("endpoints", old)[0] == (
        "subsets[0]",
        "Required value: must specify `addresses` or `notReadyAddresses`",
    )
    assert ("subsets[0].ports[0].name", "Required value") in said("endpoints", old)
    assert said("endpoints", old, old) == []
    new = changed("endpoints", old, subsets=[{"addresses": [{"ip": "169.254.1.1"}, {"ip": "0.0.0.0"}]}])
    assert said("endpoints", new, old) == [
        (
            "subsets[0].addresses[0].ip",
            'Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        ),
        ("subsets[0].addresses[1].ip", 'Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)'),
    ]


@pytest.mark.parametrize(
    ("kind", "address", "causes"),
    [
        ("IPv4", "2001:db8::1", [("endpoints[0].addresses", 'Invalid value: "2001:db8::1": must be an IPv4 address')]),
        (
            "IPv6",
            "2001:DB8::1",
            [
                (
                    "endpoints[0].addresses[0]",
                    'Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")',
                ),
            ],
        ),
        (
            "FQDN",
            "web",
            [
                (
                    "endpoints[0].addresses[0]",
                    'Invalid value: "web": should be a domain with at least two segments separated by dots',
                ),
            ],
        ),
        ("Other", "x", [("addressType", 'Unsupported value: "Other": supported values: "FQDN", "IPv4", "IPv6"')]),
    ],
)
def test_slices_have_addresses_of_their_type(kind: str, address: str, causes: list[tuple[str, str]]) -> None:
    """Each type has its form."""
    assert refused("endpointslices", addressType=kind, endpoints=[{"addresses": [address]}]) == causes


def test_a_slices_type_stays() -> None:
    """And its generation counts labels, too."""
    old = made("endpointslices", addressType="IPv4", endpoints=[{"addresses": ["10.0.0.1"]}])
    new = changed("endpointslices", old, addressType="IPv6", endpoints=[])
    assert said("endpointslices", new, old) == [("addressType", 'Invalid value: "IPv6": field is immutable')]
    generation_of = resource("endpointslices").strategy.generation_of
    assert generation_of is not None
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    assert generation_of(labelled) != generation_of(old)


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({}, [("spec", "Invalid value: null: either `defaultBackend` or `rules` must be specified")]),
        (
            {"defaultBackend": {}},
            [("spec.defaultBackend", 'Invalid value: "": resource or service backend is required')],
        ),
        (
            {"defaultBackend": {"service": {"name": "A", "port": {"name": "web", "number": 1}}}},
            [
                (
                    "spec.defaultBackend.service.name",
                    'Invalid value: "A": a lowercase RFC 1123 label must consist of lower case '
                    "alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. "
                    "'my-name',  or "
                    "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
                ),
                ("spec.defaultBackend", 'Invalid value: "": cannot set both port name & port number'),
            ],
        ),
        (
            {
                "rules": [
                    {
                        "host": "1.2.3.4",
                        "http": {
                            "paths": [
                                {
                                    "path": "a//b",
                                    "pathType": "Prefix",
                                    "backend": {"resource": {"kind": "K", "name": "n"}},
                                },
                                {"path": "/a", "backend": {}},
                            ]
                        },
                    }
                ]
            },
            [
                ("spec.rules[0].host", 'Invalid value: "1.2.3.4": must be a DNS name, not an IP address'),
                ("spec.rules[0].http.paths[0].path", 'Invalid value: "a//b": must be an absolute path'),
                ("spec.rules[0].http.paths[0].path", "Invalid value: \"a//b\": must not contain '//'"),
                ("spec.rules[0].http.paths[1].pathType", "Required value: pathType must be specified"),
            ],
        ),
    ],
)
def test_ingresses_are_refused_as_in_kubernetes(spec: JsonObject, causes: list[tuple[str, str]]) -> None:
    """Either of two backends, with one port."""
    assert refused("ingresses", spec=spec) == causes


def test_an_ingress_class_keeps_its_controller() -> None:
    """Its parameters are in a namespace, or not."""
    old = made(
        "ingressclasses", spec={"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "scope": "Cluster"}}
    )
    assert said("ingressclasses", old) == []
    wrong = {"kind": "K", "name": "n", "scope": "Cluster", "namespace": "x"}
    new = changed("ingressclasses", old, spec={"controller": "nowhere", "parameters": wrong})
    assert said("ingressclasses", new, old) == [
        ("spec.controller", 'Invalid value: "nowhere": must be a domain-prefixed path (such as "acme.io/foo")'),
        ("spec.parameters.namespace", "Forbidden: `parameters.scope` is set to 'Cluster'"),
        ("spec.controller", 'Invalid value: "nowhere": field is immutable'),
    ]


def test_network_policies_name_peers_and_ports() -> None:
    """Networks that were there before are let be."""
    peers = [{}, {"ipBlock": {"cidr": "10.0.0.1/8"}}, {"podSelector": {}, "ipBlock": {"cidr": "x"}}]
    ports = [{"port": 9, "endPort": 8}, {"endPort": 7}, {"port": "web", "endPort": 7, "protocol": "ICMP"}]
    old = made("networkpolicies", spec={"podSelector": {}, "ingress": [{"from": peers, "ports": ports}]})
    at = "spec.ingress[0]"
    causes = [
        (f"{at}.ports[0].endPort", "Invalid value: 9: must be greater than or equal to `port`"),
        (f"{at}.ports[1].endPort", "Invalid value: 7: may not be specified when `port` is not specified"),
        (f"{at}.ports[2].protocol", 'Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"'),
        (f"{at}.ports[2].endPort", "Invalid value: 7: may not be specified when `port` is non-numeric"),
        (f"{at}.from[0]", "Required value: must specify a peer"),
        (f"{at}.from[1].ipBlock.cidr", 'Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'),
        (f"{at}.from[2].ipBlock.cidr", f'Invalid value: "x": {NO_CIDR}'),
        (f"{at}.from[2]", "Forbidden: may not specify both ipBlock and another peer"),
    ]
    assert said("networkpolicies", old) == causes
    assert said("networkpolicies", old, old) == [one for one in causes if not one[0].endswith("cidr")]


def test_what_a_block_leaves_out_is_part_of_it() -> None:
    """And smaller than it."""
    block = {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.0.0.0/8", "11.0.0.0/16"]}
    text = "must be a strict subset of `cidr`"
    found = refused("networkpolicies", spec={"podSelector": {}, "egress": [{"to": [{"ipBlock": block}]}]})
    path = "spec.egress[0].to[0].ipBlock.except"
    assert found == [
        (f"{path}[1]", f'Invalid value: "10.0.0.0/8": {text}'),
        (f"{path}[2]", f'Invalid value: "11.0.0.0/16": {text}'),
    ]


def test_service_networks_only_gain_a_second_one() -> None:
    """Of the other family."""
    old = made("servicecidrs", spec={"cidrs": ["10.0.0.0/24"]})
    grown = changed("servicecidrs", old, spec={"cidrs": ["10.0.0.0/24", "2001:db8::/64"]})
    assert said("servicecidrs", grown, old) == []
    moved = changed("servicecidrs", old, spec={"cidrs": ["10.1.0.0/24"]})
    assert said("servicecidrs", moved, old) == [("spec.cidrs[0]", 'Invalid value: "10.1.0.0/24": field is immutable')]
    same = refused("servicecidrs", spec={"cidrs": ["10.0.0.0/24", "10.1.0.0/24"]})
    text = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
    assert same == [("spec.cidrs", f'Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: {text}')]


def test_an_address_is_somebodys_for_good() -> None:
    """Kubernetes shows its own struct in place of what was sent."""
    reference = {"resource": "services", "name": "a", "namespace": "b"}
    old = made("ipaddresses", {"name": "10.0.0.1"}, spec={"parentRef": reference})
    new = changed("ipaddresses", old, spec={"parentRef": {**reference, "name": "c"}})
    ((field, message),) = said("ipaddresses", new, old)
    assert field == "spec.parentRef"
    assert message.endswith(": field is immutable")
    assert refused("ipaddresses", spec={}) == [("spec.parentRef", "Required value")]


@pytest.mark.parametrize(
    ("plural", "content", "warnings"),
    [
        (
            "services",
            {"spec": {"ports": [PORT], "externalIPs": ["2001:DB8::1"], "trafficDistribution": "PreferClose"}},
            [
                'spec.externalIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format '
                '("2001:db8::1")',
                "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
                'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
            ],
        ),
        (
            "endpointslices",
            {"addressType": "FQDN", "endpoints": []},
            [
                "spec.addressType: FQDN endpoints are deprecated",
            ],
        ),
        (
            "networkpolicies",
            {"spec": {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}]}},
            [
                'spec.egress[0].to[0].ipBlock.cidr: CIDR value "10.0.0.1/8" is ambiguous in this context '
                '(should be "10.0.0.0/8" or "10.0.0.1/32"?)',
            ],
        ),
        (
            "ingresses",
            {"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}, "spec": {}},
            [
                "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead",
            ],
        ),
    ],
)
def test_what_is_warned_of(plural: str, content: JsonObject, warnings: list[str]) -> None:
    """What is taken, and will not be for ever."""
    obj = made(plural, **content)
    warn = resource(plural).strategy.warn
    assert warn is not None
    assert list(warn(obj, None)) == warnings


def test_endpoints_are_deprecated_as_a_version() -> None:
    """Whatever is asked of them."""
    (version,) = resource("endpoints").versions
    assert version.deprecated
    assert version.deprecation_warning == "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"


def test_causes_are_causes() -> None:
    """Reasons go with messages."""
    check = resource("services").strategy.validate
    assert check is not None
    (cause,) = check(made("services", spec={"clusterIP": ""}))
    assert cause == Cause("FieldValueRequired", "Required value", "spec.ports")
