"""Every watcher sees exactly the store's history through its selector, whatever is written and whenever it starts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from fairlead_api import JsonObject
from tests.unit.control_plane.in_process import MAPS, MERGE, Api, in_process

T = TypeVar("T")
NAMES = st.sampled_from(["a", "b", "a-b"])
LABELS = st.sampled_from([{}, {"app": "x"}, {"app": "y"}, {"app": "x", "tier": "1"}])
SELECTORS = st.sampled_from(["", "app=x", "app!=x", "tier", "app in (x,y)"])


def matches(selector: str, labels: dict[str, str]) -> bool:
    """Say what a selector means, without the code under test."""
    return {
        "": True,
        "app=x": labels.get("app") == "x",
        "app!=x": labels.get("app") != "x",
        "tier": "tier" in labels,
        "app in (x,y)": labels.get("app") in {"x", "y"},
    }[selector]


@dataclass
class Watcher:
    """A watch and what it must have seen."""

    stream: Any
    selector: str
    expected: list[tuple[str, str, dict[str, str]]]
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


class Watching(RuleBasedStateMachine):
    """Writes ConfigMaps and watches them; the model is a dict of labels and a list of changes."""

    starts = Bundle("starts")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.api: Api = self.run(self.stack.enter_async_context(in_process()))
        self.labels: dict[str, dict[str, str]] = {}
        # (revision, name, labels before or None, labels after or None)
        self.history: list[tuple[int, str, dict[str, str] | None, dict[str, str] | None]] = []
        self.watchers: list[Watcher] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def changed(self, name: str, after: dict[str, str] | None) -> None:
        before = self.labels.pop(name, None)
        if after is not None:
            self.labels[name] = after
        change = (self.api.store.revision, name, before, after)
        self.history.append(change)
        for watcher in self.watchers:
            watcher.expected.extend(self.through(watcher.selector, change))

    @staticmethod
    def through(
        selector: str, change: tuple[int, str, dict[str, str] | None, dict[str, str] | None]
    ) -> list[tuple[str, str, dict[str, str]]]:
        _, name, before, after = change
        was = before is not None and matches(selector, before)
        now = after is not None and matches(selector, after)
        if now and after is not None:
            return [("MODIFIED" if was else "ADDED", name, after)]
        if was and before is not None:
            return [("DELETED", name, before)]
        return []

    @rule(name=NAMES, labels=LABELS)
    def put(self, name: str, labels: dict[str, str]) -> None:
        body: JsonObject = {"metadata": {"name": name, "labels": labels}}
        if name in self.labels:
            # A number that grows makes every write a change.
            body["data"] = {"n": str(len(self.history))}
            answer = self.run(self.api.send("PUT", f"{MAPS}/{name}", body))
        else:
            answer = self.run(self.api.send("POST", MAPS, body))
        assert answer.code in {200, 201}, answer.body
        self.changed(name, labels)

    @rule(name=NAMES, labels=LABELS)
    def patch(self, name: str, labels: dict[str, str]) -> None:
        body = {"metadata": {"labels": {"app": None, "tier": None} | labels}, "data": {"n": str(len(self.history))}}
        answer = self.run(self.api.send("PATCH", f"{MAPS}/{name}", body, kind=MERGE))
        assert answer.code == (200 if name in self.labels else 404)
        if answer.code == 200:
            self.changed(name, labels)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        answer = self.run(self.api.send("DELETE", f"{MAPS}/{name}"))
        assert answer.code == (200 if name in self.labels else 404)
        if answer.code == 200:
            self.changed(name, None)

    @rule(target=starts)
    def remember(self) -> int:
        return self.api.store.revision

    @rule()
    def forget_the_ring(self) -> None:
        """From here on only the store's history can serve old starts."""
        self.api.hub._ring.clear()
        self.api.hub._ring_size[:] = [0, 0]
        self.api.hub._ring_after = self.api.store.revision

    @rule(start=starts, selector=SELECTORS)
    def watch_from(self, start: int, selector: str) -> None:
        expected = [item for change in self.history if change[0] > start for item in self.through(selector, change)]
        self.open(selector, expected, resourceVersion=str(start))

    @rule(selector=SELECTORS)
    def watch_state(self, selector: str) -> None:
        expected = [("ADDED", name, labels) for name, labels in self.labels.items() if matches(selector, labels)]
        self.open(selector, sorted(expected, key=lambda item: item[1]))

    def open(self, selector: str, expected: list[tuple[str, str, dict[str, str]]], **query: str) -> None:
        if len(self.watchers) >= 6:
            return
        more: dict[str, Any] = {"labelSelector": selector} if selector else {}
        response = self.run(self.api.send("GET", MAPS, watch="1", **(more | query)))
        self.watchers.append(Watcher(response.stream, selector, expected))

    @rule()
    def list_equals_model(self) -> None:
        answer = self.run(self.api.ask("GET", MAPS))
        found = {item["metadata"]["name"]: item["metadata"].get("labels", {}) for item in answer["items"]}
        assert found == self.labels

    @invariant()
    def watchers_see_the_history(self) -> None:
        for watcher in self.watchers:
            self.run(self.catch_up(watcher))
            assert watcher.seen == watcher.expected

    async def catch_up(self, watcher: Watcher) -> None:
        async with asyncio.timeout(5):
            while len(watcher.seen) < len(watcher.expected):
                for line in (await anext(watcher.stream)).splitlines():
                    event = json.loads(line)
                    metadata = event["object"]["metadata"]
                    watcher.seen.append((event["type"], metadata["name"], metadata.get("labels", {})))

    def teardown(self) -> None:
        for watcher in self.watchers:
            self.run(watcher.stream.aclose())
        self.run(self.stack.aclose())
        self.runner.close()


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
