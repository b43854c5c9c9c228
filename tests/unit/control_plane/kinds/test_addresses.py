"""Names of IPAddress objects."""

from __future__ import annotations

import pytest

from fairlead_control_plane.kinds.strategies.addresses import address_name


@pytest.mark.parametrize("name", ["10.0.0.1", "fe80::42:1dff:fe84:f9e2", "::1"])
def test_an_address_is_a_name(name: str) -> None:
    """Colons and all."""
    assert address_name(name) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("web", "must be a valid IP address"),
        ("010.0.0.1", "must not have leading 0s"),
        ("fe80::1%eth0", "must be a valid IP address"),
        ("::ffff:10.0.0.1", "IPv4-mapped"),
        ("FE80::1", 'must be in canonical form ("fe80::1")'),
        ("2001:db8:0:0::1", 'must be in canonical form ("2001:db8::1")'),
    ],
)
def test_only_the_canonical_form_of_one_is(name: str, why: str) -> None:
    """Each address has one name."""
    (said,) = address_name(name)
    assert why in said
