"""A user as others are told of them."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_api.request import User


@pytest.mark.parametrize(
    ("user", "info"),
    [
        (User("a"), {"username": "a"}),
        (
            User("a", ("g", "system:authenticated"), "u", {"k/x": ("1", "2")}),
            {"username": "a", "uid": "u", "groups": ["g", "system:authenticated"], "extra": {"k/x": ["1", "2"]}},
        ),
    ],
)
def test_user_info(user: User, info: JsonObject) -> None:
    """UserInfo of ``authentication.k8s.io/v1``, without what is empty, in the order of its fields."""
    assert user.as_json() == info
    assert list(user.as_json()) == list(info)
