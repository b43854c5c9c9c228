"""Rules that every test keeps: no task left behind, no blocked loop; and how hard Hypothesis looks."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import BlockBuster
from hypothesis import settings

# A shell's background job ignores Ctrl-C, and so does whatever it starts; some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.support.fixtures"]

# The same examples in every run, so that a red run means a change; nightly looks further.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, database=None)
settings.register_profile("nightly", deadline=None, max_examples=5000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
async def _no_leftover_task() -> AsyncIterator[None]:
    """Fail a test that leaves a task behind; set up first, so that other fixtures have ended theirs by then."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    names = sorted(task.get_name() + ": " + repr(task.get_coro()) for task in left)
    for task in left:
        task.cancel()
    assert not names, f"the test left tasks behind: {names}"


@pytest.fixture(autouse=True)
def _async_rules(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold coroutine tests to the rules; blocking is looked for in unit tests, whose doubles have no excuse."""
    function = getattr(request, "function", None)
    if not inspect.iscoroutinefunction(inspect.unwrap(function) if function else None):
        yield
        return
    request.getfixturevalue("_no_leftover_task")
    if "tests/unit/" not in request.path.as_posix():
        yield
        return
    guard = BlockBuster()
    guard.activate()
    yield
    guard.deactivate()
