from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api.errors import BadRequest
from fairlead_control_plane.kinds import protobuf


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _body(api_version: bytes, kind: bytes, raw: bytes) -> bytes:
    return protobuf.MAGIC + _field(1, _field(1, api_version) + _field(2, kind)) + _field(2, raw)


def test_delete_options_belong_to_no_group() -> None:
    """Options are decoded whatever group version the client wrote into the envelope."""
    raw = bytes([1 << 3, 5]) + _field(4, b"Foreground")
    decoded = protobuf.decode(_body(b"apps/v1", b"DeleteOptions", raw))
    assert decoded == {
        "kind": "DeleteOptions", "apiVersion": "apps/v1", "gracePeriodSeconds": 5, "propagationPolicy": "Foreground",
    }  # fmt: skip


def test_an_api_service_has_metadata_and_times() -> None:
    """Its Go file imports meta/v1 in a line of its own, not in a list."""
    condition = _field(1, b"Available") + _field(2, b"True") + _field(3, bytes([1 << 3, 60]))
    raw = _field(1, _field(1, b"v1.x.example")) + _field(3, _field(1, condition))
    decoded = protobuf.decode(_body(b"apiregistration.k8s.io/v1", b"APIService", raw))
    assert decoded["metadata"] == {"name": "v1.x.example"}
    assert decoded["status"]["conditions"][0]["lastTransitionTime"] == "1970-01-01T00:01:00Z"


@pytest.mark.parametrize(
    "body",
    [b"{}", protobuf.MAGIC, _body(b"v1", b"Nothing", b""), _body(b"v1", b"Pod", b"\x0a\xff"), protobuf.MAGIC + b"\xff"],
)
def test_what_cannot_be_read_is_a_bad_request(body: bytes) -> None:
    """No envelope, no kind, or a length beyond the end."""
    with pytest.raises(BadRequest):
        protobuf.decode(body)


@given(st.binary(max_size=200))
def test_arbitrary_content_never_fails_otherwise(raw: bytes) -> None:
    """Whatever the bytes, the answer is an object or a bad request."""
    with contextlib.suppress(BadRequest):
        protobuf.decode(
            protobuf.MAGIC + _field(1, _field(1, b"v1") + _field(2, b"Pod")) + b"\x12\xc8\x01" + raw.ljust(200, b"\0")
        )
