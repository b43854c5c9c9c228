"""Networks and addresses in fields: what is standard passes in silence, what is not is refused or warned of."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_control_plane.kinds.strategies.cidr_fields import (
    check_canonical_cidr,
    check_canonical_ip,
    check_cidr,
    check_endpoint_ip,
    cidr_warnings,
    sloppy_cidr,
)

_NETWORKS = st.one_of(
    st.builds(
        lambda address, size: ipaddress.ip_network((address, size), strict=False),
        st.ip_addresses(v=4),
        st.integers(0, 32),
    ),
    st.builds(
        lambda address, size: ipaddress.ip_network((address, size), strict=False),
        st.ip_addresses(v=6, network="2000::/3"),
        st.integers(0, 128),
    ),
)


@given(_NETWORKS)
def test_a_network_in_standard_form_is_taken_without_a_word(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    """And is read as what it is."""
    text = str(network)
    found = sloppy_cidr(text)
    assert found is not None
    assert found.network == network
    assert (check_cidr(text, ""), check_canonical_cidr(text, ""), cidr_warnings(text, "")) == ([], [], [])


@given(st.ip_addresses(v=4), st.integers(1, 31))
def test_bits_beyond_the_prefix_are_refused_and_told(address: ipaddress.IPv4Address, size: int) -> None:
    """With both of what may be meant."""
    text, network = f"{address}/{size}", ipaddress.ip_network((address, size), strict=False)
    is_exact = network.network_address == address
    assert bool(check_cidr(text, "")) is not is_exact
    assert check_cidr(text, "", [text]) == []
    expected = f'p: CIDR value "{text}" is ambiguous in this context (should be "{network}" or "{address}/32"?)'
    assert cidr_warnings(text, "p") == ([] if is_exact else [expected])


@given(st.text(max_size=40))
def test_any_text_is_answered(text: str) -> None:
    """Each check tells of one mistake at most, and warnings are of what can be read."""
    assert len(check_cidr(text, "")) <= 1
    assert len(check_canonical_ip(text, "")) <= 1
    assert sloppy_cidr(text) is not None or cidr_warnings(text, "") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
        ("::ffff:1.2.3.0/120", "must not have an IPv4-mapped IPv6 address"),
        ("10.0.0.0/33", "must be a valid CIDR value"),
        ("10.0.0.0", "must be a valid CIDR value"),
    ],
)
def test_what_is_no_network_any_more(text: str, why: str) -> None:
    """Older rules took some of these."""
    (cause,) = check_cidr(text, "")
    assert why in cause.message


@pytest.mark.parametrize(
    ("text", "is_fine"), [("10.0.0.1", True), ("::1", False), ("fe80::1", False), ("224.0.0.1", False)]
)
def test_nothing_is_sent_to_special_addresses(text: str, is_fine: bool) -> None:
    """Neither here nor on the link."""
    assert (check_endpoint_ip(text, "") == []) is is_fine
