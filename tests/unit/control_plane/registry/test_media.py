"""Which form of an answer a client gets."""

from __future__ import annotations

import pytest

from fairlead_api.errors import NotAcceptable
from fairlead_control_plane.registry import media

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def test_what_has_no_columns_is_no_table() -> None:
    """The next form a client accepts is taken, else it is told (k8s.io/apiserver AllowsMediaTypeTransform)."""
    assert media.accepted(TABLE).kind == media.TABLE
    assert media.accepted(f"{TABLE},application/json", has_columns=False).kind == media.OBJECT
    with pytest.raises(NotAcceptable):
        media.accepted(TABLE, has_columns=False)
