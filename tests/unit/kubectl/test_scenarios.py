"""The matrix of kubectl: how its lines are read, what is compared, and what excuses a difference."""

from __future__ import annotations

import pytest

from tests.kubectl import allowed, compare, scenarios


def test_a_line_is_read_as_a_shell_would() -> None:
    """Variables before the command and a file after it are no arguments."""
    line = scenarios.parsed("A=1 KUBE_EDITOR='sed -i s/a/b/' apply -f - -l 'a in (b)' < settings.yaml")
    assert line.environment == {"A": "1", "KUBE_EDITOR": "sed -i s/a/b/"}
    assert line.arguments == ["apply", "-f", "-", "-l", "a in (b)"]
    assert line.stdin == "settings.yaml"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("pod/web-7d8f49bc5f-x2bcd created", "pod/web-7d8f49bc5f-HASH created"),
        ("web   1/1   Running   0   3m20s", "web  1/1  Running  0  AGE"),
        ('"resourceVersion": "17"', '"resourceVersion": "REVISION"'),
        ("at https://127.0.0.1:6443/clusters/root:twin/api", "at SERVER/api"),
        ("replicas: 3", "replicas: 3"),
        ("service-names", "service-names"),
    ],
)
def test_only_what_servers_make_up_is_replaced(said: str, shown: str) -> None:
    """A name keeps its words, and a number that was asked for stays."""
    assert compare.normal(said) == shown


def test_every_excuse_names_a_command() -> None:
    """A command that is gone leaves no excuse behind; reasons and patterns are read at all."""
    asked = {f"{scenario.name}: {command}" for scenario in scenarios.load() for command in scenario.commands}
    excuses = allowed.load()
    assert set(excuses.commands) <= asked
    assert all(excuses.rules_of(rule.pair, rule.server) for rule in excuses.rules)


def test_the_short_selection_is_of_workspaces() -> None:
    """What `make test` runs exists and needs one pair of servers only."""
    pairs = {scenario.name: scenario.pair for scenario in scenarios.load()}
    assert {pairs[name] for name in scenarios.SHORT} == {"workspace"}
