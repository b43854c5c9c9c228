"""Which hosts an Ingress claims, and when two claims meet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_transforms.ingress_hosts import claimed, meet


def ingress(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "spec": spec}


def test_s63_all_ways_to_claim_a_host_count() -> None:
    """Rules, certificates, and what answers for all hosts that nobody has named."""
    paths = {"http": {"paths": [{"path": "/shop"}]}}
    assert claimed(ingress(rules=[{"host": "a.example", **paths}, {"host": "*.b.example"}])) == {
        "a.example", "*.b.example",
    }  # fmt: skip
    assert claimed(ingress(tls=[{"hosts": ["c.example"], "secretName": "s"}])) == {"c.example"}
    assert claimed(ingress(rules=[paths])) == {""}
    assert claimed(ingress(defaultBackend={"service": {"name": "x"}})) == {""}
    assert claimed(ingress(rules=[{"host": "A.Example."}])) == {"a.example"}
    assert claimed({"metadata": {}}) == set()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a.example", "a.example", True),
        ("a.example", "b.example", False),
        ("*.example", "a.example", True),
        ("*.example", "a.b.example", True),
        ("*.example", "example", False),
        ("*.example", "notexample", False),
        ("*.example", "*.example", True),
        ("*.example", "*.a.example", True),
        ("*.a.example", "*.b.example", False),
        ("", "", True),
        ("", "a.example", False),
        ("", "*.example", False),
    ],
)
def test_s63_hosts_meet_where_one_would_draw_what_is_the_others(one: str, other: str, *, expected: bool) -> None:
    """Either way round; a wildcard counts for all below it, as some controllers have it."""
    assert meet(one, other) is expected
    assert meet(other, one) is expected


_LABELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)


@given(labels=_LABELS, below=st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_s63_a_wildcard_meets_all_below_it(labels: list[str], below: list[str]) -> None:
    """And not its own domain."""
    domain = ".".join(labels)
    assert meet(f"*.{domain}", ".".join([*below, domain]))
    assert not meet(f"*.{domain}", domain)
