"""``fairlead demo``: the main job from nothing to a drained cluster, asserted step by step; ``make demo``."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead_cli.commands import Command
from fairlead_cli.failure import Failure
from fairlead_cli.options import HELP

if TYPE_CHECKING:
    from fairlead_cli.demo_stage import Stage
    from fairlead_cli.demo_telling import Telling

_INTERRUPTED = 130


@click.command(cls=Command, context_settings=HELP)
@click.option("--keep", is_flag=True, help="Leave everything running at the end.")
@click.option("--stop", "stopped", type=click.Path(path_type=Path, exists=True), help="Stop what --keep left, DIR.")
def demo(keep: bool, stopped: Path | None) -> None:
    """Three simulated clusters, one workspace, one drain: the main job, in under a minute."""
    from fairlead_cli.demo_stage import Stage  # noqa: PLC0415 - help is fast

    if stopped is not None:
        stage = Stage(stopped.absolute())
        if not stage.control_plane.is_dir():
            raise Failure(f"{stopped} is not the folder of a demo")
        stage.stop()
        stage.remove()
        click.echo("stopped and removed")
        return
    from fairlead_cli.demo_telling import Telling  # noqa: PLC0415

    _play(Stage(Path(tempfile.mkdtemp(prefix="fairlead-demo-"))), Telling(), keep=keep)


def _play(stage: Stage, telling: Telling, *, keep: bool) -> None:
    """Tell the story; whatever happens, leave nothing behind but what was asked for, or logs of a failure."""
    import asyncio  # noqa: PLC0415 - help is fast

    from fairlead_cli.demo_story import Story  # noqa: PLC0415

    began_s = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: with everything stopped
    story = Story(stage, telling)
    is_kept = False
    try:
        asyncio.run(story.tell())
        telling.say(f"\nAll of it worked, in {time.monotonic() - began_s:.0f} s.\n")
        is_kept = keep
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except Exception as error:
        is_kept = True
        stage.stop()
        raise _failed(error, stage) from error
    finally:
        if not is_kept:
            stage.stop()
            stage.remove()
    story.tell_how_to_go_on(keep=keep)


def _failed(error: Exception, stage: Stage) -> Failure:
    """Return the one line that says what went wrong first."""
    from fairlead_cli.failure import explain  # noqa: PLC0415 - only then

    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    failure = explain(error) or Failure(f"unexpected {type(error).__name__}", str(error))
    return Failure(f"demo: {failure.message}", fix=f"logs are kept in {stage.path}")
