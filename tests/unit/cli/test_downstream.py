"""What is read of an agent from its cluster."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_cli import downstream, guarding
from fairlead_cli.manifests import Agent
from fairlead_machinery.client import Client


class Cluster:
    """Has one policy, or none."""

    def __init__(self, policy: JsonObject | None) -> None:
        self._policy = policy

    async def get(self, *_: Any) -> JsonObject:
        if self._policy is None:
            raise NotFound("no policy")
        return self._policy


@pytest.mark.parametrize("privileged", [True, False, None])
async def test_what_a_policy_allows_is_told(privileged: bool | None) -> None:
    """``check`` compares the rights with what the owner chose at the join."""
    agent = Agent("east", "uid", "root", "https://x", "", (), privileged=bool(privileged))
    made = None if privileged is None else guarding.policy(agent, {})[0]
    assert await downstream.allows_privileged(cast(Client, Cluster(made)), agent) == bool(privileged)
