"""Fairlead and Kubernetes side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.api.twins import twins
from tests.integration.security.wire import Wire


@pytest.fixture(scope="module")
def wires(request: pytest.FixtureRequest) -> Iterator[tuple[Wire, Wire]]:
    """Give Fairlead with all of Kubernetes' kinds, and Kubernetes; both are the module's own."""
    with twins(request.module.__name__.rpartition("test_")[2]) as both:
        yield both
