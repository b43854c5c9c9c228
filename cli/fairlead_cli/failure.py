"""
How a command fails: one line that says what failed, what was seen and how to mend it; and the exit codes.

Source: design section 9.
"""

from __future__ import annotations

import click

_DENIED = ": access denied"
FAILED, USAGE, TIMED_OUT, FORBIDDEN, FINDINGS = 1, 2, 3, 4, 5


class Failure(click.ClickException):
    """
    A failure told to the user.

    Args:
        what: What failed; the whole message when there is no more to say.
        saw: What was seen, such as a server's answer.
        fix: What to do about it, best a command.
        code: Exit code.
    """

    def __init__(self, what: str, saw: str = "", fix: str = "", *, code: int = FAILED) -> None:
        super().__init__(" · ".join(_line(part) for part in (what, saw, fix) if part))
        self.exit_code = code  # type: ignore[misc]  # declared for the class, read from the instance

    def show(self, file: object = None) -> None:
        """Print it to standard error."""
        del file
        click.echo(f"Error: {self.message}", err=True)


def _line(text: str) -> str:
    return " ".join(text.split())


def explain(error: Exception) -> Failure | None:
    """Return the failure that stands for an error of the server, the connection or a kubeconfig; None for a defect."""
    from fairlead_api.errors import ApiError, Forbidden, Unauthorized  # noqa: PLC0415 - a command without errors is fast
    from fairlead_machinery.kubeconfig import KubeconfigError  # noqa: PLC0415
    from fairlead_machinery.transport import Unreachable  # noqa: PLC0415

    if isinstance(error, Failure):
        return error
    if isinstance(error, Forbidden | Unauthorized):
        return Failure(str(error), *_not_allowed(error), code=FORBIDDEN)
    if isinstance(error, KubeconfigError | ApiError):
        return Failure(str(error))
    if isinstance(error, Unreachable):
        return Failure("no answer from the server", str(error), "is it running, and is the context the right one?")
    if isinstance(error, OSError) and error.strerror:
        return Failure(error.strerror, str(error.filename or ""))
    return None


def _not_allowed(error: Exception) -> tuple[str, str]:
    """Return why a server refused a user, as far as it can be told, and what to do."""
    from fairlead_api.errors import Unauthorized  # noqa: PLC0415 - see explain

    if isinstance(error, Unauthorized):
        why = "the server does not take this context's credentials: they have expired, or are another server's"
        return why, "name another --context, or renew your kubeconfig"
    # A workspace that is not there and one that may not be entered look alike.
    is_closed = str(error).endswith(_DENIED)
    return "", "is the workspace there, and may you enter it? kubectl ws tree" if is_closed else ""
