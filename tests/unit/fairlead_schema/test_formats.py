"""String formats."""

import pytest

from fairlead_schema.formats import check_of


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("ipv4", "010.0.0.1", "::1"),
        ("ipv6", "fe80::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uuid", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "6ba7b810"),
        ("uuid4", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("date", "2020-02-29", "2020-13-01"),
        ("date", "0000-01-01", "2021-02-29"),
        ("date", "2020-04-30", "2020-04-31"),
        ("date-time", "2014-12-15T19:30:20.000Z", "2014-12-15"),
        ("date-time", "2014-12-15t19:30:20+09:00", "2014-12-15T19:30:60Z"),
        ("date-time", "2014-12-15T19:30:20,5z", "2014-12-15T19:30:20"),
        ("duration", "1h30m", "1 fortnight"),
        ("duration", "22 ns", ""),
        ("email", "a@b.example", "a"),
        ("hostname", "a.example.org", "-a"),
        ("mac", "01:02:03:04:05:06", "01:02"),
        ("byte", "aGk=", "a"),
        ("hexcolor", "#ffF", "#ff"),
        ("rgbcolor", "rgb(1,2,255)", "rgb(1,2,256)"),
        ("isbn", "0321751043", "0321751044"),
        ("isbn13", "978-0321751041", "978-0321751042"),
        ("creditcard", "4111-1111-1111-1111", "4111-1111-1111-1112"),
        ("uri", "http://x/y", "x y"),
    ],
)
def test_a_format_tells_good_from_bad(name: str, good: str, bad: str) -> None:
    """One of each."""
    check = check_of(name)
    assert check is not None
    assert check(good)
    assert not check(bad)


def test_an_unknown_format_is_not_enforced() -> None:
    """As in Kubernetes."""
    assert check_of("made-up") is None
