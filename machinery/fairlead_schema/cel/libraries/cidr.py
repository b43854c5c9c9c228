"""
Networks: ``cidr('10.0.0.0/8').containsIP('10.1.2.3')`` and the like.

Source: k8s.io/apiserver/pkg/cel/library/cidr.go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fairlead_api.field_errors import quoted
from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Function, Library, Overload, Sized, Span
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.libraries.addresses import CIDR, CIDR_TYPE, IP, IP_TYPE, BadAddress, parse_network
from fairlead_schema.cel.libraries.ip import to_ip
from fairlead_schema.cel.values import EvaluationError, Value

_READING = "network address parse error during conversion from string"


def _to_cidr(text: str) -> CIDR:
    try:
        network = parse_network(text)
    except BadAddress as error:
        raise EvaluationError(f"{_READING}: {_READING}: {error}") from error
    if network.address.is_mapped:
        raise EvaluationError(f"{_READING}: IPv4-mapped IPv6 address {quoted(text)} is not allowed")
    return network


def _is_cidr(text: str) -> bool:
    try:
        _to_cidr(text)
    except EvaluationError:
        return False
    return True


def _contains_text(network: CIDR, text: str) -> bool:
    try:
        return network.contains(to_ip(text))
    except EvaluationError as error:
        # Kubernetes loses the complaint here, not with networks.
        raise EvaluationError("no such overload") from error


def _contains_network_text(network: CIDR, text: str) -> bool:
    return network.contains_network(_to_cidr(text))


def _address(network: CIDR) -> IP:
    return network.address


def _prefix_length(network: CIDR) -> int:
    return network.prefix


def _factor(size: int) -> int:
    return math.ceil(size * costs.STRING_FACTOR)


def _compare_cost(arguments: Sequence[Value], _result: Value) -> int:
    return _factor(2 * size_of(arguments[0]))


def _compare_networks_cost(arguments: Sequence[Value], result: Value) -> int:
    return _compare_cost(arguments, result) + _factor(size_of(arguments[0])) + 1


def _text_cost(arguments: Sequence[Value], result: Value) -> int:
    return _compare_cost(arguments, result) + _factor(size_of(arguments[1]))


def _network_text_cost(arguments: Sequence[Value], result: Value) -> int:
    return _compare_networks_cost(arguments, result) + _factor(size_of(arguments[1]))


_BYTES = Span(4, 16)
_COMPARING = (_BYTES + _BYTES).by(costs.STRING_FACTOR)
_COMPARING_NETWORKS = _COMPARING + _BYTES.by(costs.STRING_FACTOR) + costs.ONE


def _with_text(arguments: Sequence[Sized], comparing: Span) -> CallEstimate:
    return CallEstimate(comparing + arguments[1].size.by(costs.STRING_FACTOR))


_READ, _READ_ESTIMATE = costs.read(), costs.estimate_read()
_TEXT, _ONE = (CIDR_TYPE, t.STRING), (CIDR_TYPE,)
_NOMINAL = CallEstimate(costs.ONE)

CIDRS = Library(
    "kubernetes.net.cidr",
    (
        Function("cidr", (Overload("string_to_cidr", (t.STRING,), CIDR_TYPE, _to_cidr, False, _READ_ESTIMATE, _READ),)),
        Function(
            "containsIP",
            (
                Overload(
                    "cidr_contains_ip_string", _TEXT, t.BOOL, _contains_text, True,
                    lambda arguments: _with_text(arguments, _COMPARING), _text_cost,
                ),
                Overload(
                    "cidr_contains_ip_ip", (CIDR_TYPE, IP_TYPE), t.BOOL, CIDR.contains, True,
                    lambda _: CallEstimate(_COMPARING), _compare_cost,
                ),
            ),
            _compare_cost,
        ),
        Function(
            "containsCIDR",
            (
                Overload(
                    "cidr_contains_cidr_string", _TEXT, t.BOOL, _contains_network_text, True,
                    lambda arguments: _with_text(arguments, _COMPARING_NETWORKS), _network_text_cost,
                ),
                Overload(
                    "cidr_contains_cidr", (CIDR_TYPE, CIDR_TYPE), t.BOOL, CIDR.contains_network, True,
                    lambda _: CallEstimate(_COMPARING_NETWORKS), _compare_networks_cost,
                ),
            ),
            _compare_networks_cost,
        ),
        Function("ip", (Overload("cidr_ip", _ONE, IP_TYPE, _address, True, lambda _: _NOMINAL),)),
        Function(
            "prefixLength", (Overload("cidr_prefix_length", _ONE, t.INT, _prefix_length, True, lambda _: _NOMINAL),)
        ),
        Function("masked", (Overload("cidr_masked", _ONE, CIDR_TYPE, CIDR.masked, True, lambda _: _NOMINAL),)),
        Function("isCIDR", (Overload("is_cidr", (t.STRING,), t.BOOL, _is_cidr, False, _READ_ESTIMATE, _READ),)),
        Function("string", (Overload("cidr_to_string", _ONE, t.STRING, str),)),
    ),
    types={"net.CIDR": CIDR_TYPE, "net.IP": IP_TYPE},
)  # fmt: skip
