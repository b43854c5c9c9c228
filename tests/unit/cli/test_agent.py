"""However an agent ends: one line on standard error, and a code that is not 0."""

from __future__ import annotations

import asyncio
import faulthandler
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairlead_api.errors import Forbidden
from fairlead_cli.agent import syncer
from fairlead_machinery import log
from fairlead_machinery.component import TaskEnded
from fairlead_syncer import main

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
contexts: [{name: one, context: {cluster: one, user: one}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: one, user: {token: t}}]
"""


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (TaskEnded("the task feeds ended"), 1, "Error: the agent ended · the task feeds ended"),
        (asyncio.CancelledError(), 1, "Error: the agent ended · CancelledError"),
        (BaseExceptionGroup("two", [KeyboardInterrupt()]), 1, "Error: the agent ended · two (1 sub-exception)"),
        (Forbidden("the bootstrap token has been used"), 4, "Error: the bootstrap token has been used"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, BaseException) else "",
)
def test_each_end_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    async def ends(_: main.AgentSettings) -> None:
        raise error

    monkeypatch.setattr(main, "run", ends)
    monkeypatch.setattr(log, "configure", lambda *_, **__: None)  # both are the process's
    monkeypatch.setattr(faulthandler, "enable", lambda: None)
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    arguments = [
        f"--from-kubeconfig={file}", f"--to-kubeconfig={file}", "--from-cluster=root", "--sync-target-name=east",
        "--sync-target-uid=u", f"--state-directory={tmp_path / 'state'}",
    ]  # fmt: skip
    done = CliRunner().invoke(syncer, arguments)
    assert done.exit_code == code
    assert done.stderr.splitlines()[-1] == text
