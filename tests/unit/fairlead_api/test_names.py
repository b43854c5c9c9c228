"""Names and hashes agree with kcp's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import names
from fairlead_api.names import Locator

LOCATOR = Locator("root:org:ws", "us-west1", "syncTargetUID", "root:org:ws", "test")
TEXTS = st.text(max_size=20)


def test_hashes_agree_with_kcp() -> None:
    assert names.sync_target_key("root:org:ws", "us-west1") == "6ohB8yeXhwqTQVuBzJRgqcRJTpRjX7yTZu5g5g"
    assert names.downstream_namespace(LOCATOR) == "kcp-33jbiactwhg0"
    assert names.tenant_id(LOCATOR) == "9Fn3Q4y5UDPmCOrYCujwdgCbD9SwOcKdcefYE7"
    assert names.home_cluster_name("kcp-admin") == "kvdk2spgmbix"
    assert names.shard_name_hash("root") == "1pfxsevk"
    assert names.export_label_value("root", "tenancy.kcp.io") == "bmCdly9xXiUpEHe3ypvDwvXMTfoVZUE92mqAQf"


def test_initializer_label_is_cut_from_the_hex_digest() -> None:
    key, value = names.initializer_label("root:universal")
    assert key == "initializer.internal.kcp.io/d1d6459a03641b6fd7560fc2849f6c66fa9"
    assert value.startswith("d1d6459a03641b6fd7560fc2849f6c66fa9")
    assert len(value) == 56


def test_dns_id_is_cut_from_both_hashes() -> None:
    """The vector of kcp's own test: the SyncTarget's uid and the workload cluster."""
    assert names.dns_id("us-west1", "syncTargetUID", "root:org:ws") == "kcp-dns-us-west1-1nuzj7pw-2fcy2vpi"
    assert names.syncer_id("us-west1", "syncTargetUID") == "kcp-syncer-us-west1-1nuzj7pw"


def test_a_label_value_for_bindings_without_claim_is_base_62_of_counting_bytes() -> None:
    counting = bytes([*range(10), *range(10), *range(8)])
    assert names._digits(counting, 62) == names.UNCLAIMED_BINDING_VALUE


def test_composed_names_keep_within_253_characters() -> None:
    assert len(names.apibinding_name("e" * 300, "root:a")) == 253
    assert len(names.default_binding_name("c", "root", "e" * 300)) == 253
    assert names.default_binding_name("c", "root", "x") == names.default_binding_name("c", "root", "x").lower()
    assert names.placement_default_name("", ["a", "b"], "root") == names.placement_default_name("", ["a,b"], "root")


def test_padding_keeps_leading_zero_bytes_where_kcp_pads() -> None:
    assert names._padded36(b"\0\0\x01") == "001"
    assert names._digits(b"\0\0\x01", 36) == "1"


def test_new_cluster_names_are_valid_cluster_names() -> None:
    name = names.new_cluster_name(bytes(32))
    assert len(name) == 16
    assert names.valid_cluster_name(name)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_locator_survives_its_json_however_spaced(
    cluster: str, name: str, uid: str, workspace: str, namespace: str
) -> None:
    locator = Locator(cluster, name, uid, workspace, namespace)
    assert Locator.from_json(locator.to_json()) == locator
    assert Locator.from_json(json.dumps(json.loads(locator.to_json()), indent=3)) == locator


def test_the_locator_is_go_json_in_fixed_order() -> None:
    assert LOCATOR.to_json() == (
        '{"syncTarget":{"cluster":"root:org:ws","name":"us-west1","uid":"syncTargetUID"},'
        '"cluster":"root:org:ws","namespace":"test"}'
    )
    assert Locator("", "n", "u", "", "").to_json() == '{"syncTarget":{"name":"n","uid":"u"},"namespace":""}'


def test_the_old_path_member_is_read_as_cluster() -> None:
    old = LOCATOR.to_json().replace('"cluster"', '"path"', 1)
    assert Locator.from_json(old) == LOCATOR


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"syncTarget":3}', '{"syncTarget":{"name":3}}'])
def test_a_malformed_locator_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Locator.from_json(text)


@pytest.mark.parametrize("name", ["root", "ab", "1a", "a" * 63, "system:admin", "system:bound-crds"])
def test_valid_cluster_names(name: str) -> None:
    assert names.valid_cluster_name(name)
    assert names.valid_path(name)


@pytest.mark.parametrize("name", ["", "a", "a" * 64, "-a", "a-", "A1", "a:b", "*", "system:", "a\n", "root\n", "a/b"])
def test_invalid_cluster_names(name: str) -> None:
    assert not names.valid_cluster_name(name)


@pytest.mark.parametrize("path", ["a", "root:org:team", "user:someone@example.com", "user:Bob:child", "2x:child"])
def test_valid_paths(path: str) -> None:
    assert names.valid_path(path)


@pytest.mark.parametrize("path", ["", ":", "a:", ":a", "a::b", "a:-b", "A:b", "*", "a/b", "user:", "user:a:B", "a\n"])
def test_invalid_paths(path: str) -> None:
    assert not names.valid_path(path)


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("root:a:b", ("root", "a", "b")),
        ("system:admin", ("system:admin",)),
        ("user:x:y", ("user:x", "y")),
        ("", ()),
        ("user", ("user",)),
    ],
)
def test_split_and_join_are_inverse(path: str, segments: tuple[str, ...]) -> None:
    assert names.split(path) == segments
    assert names.join(*segments) == path


def test_parent_and_base_name() -> None:
    assert names.parent("root:a:b") == "root:a"
    assert names.parent("root") == ""
    assert names.parent("user:x:y") == "user:x"
    assert names.parent("user:x") == ""
    assert names.base_name("root:a:b") == "b"
    assert names.base_name("") == ""
