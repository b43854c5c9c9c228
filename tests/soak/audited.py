"""
``python -m tests.soak.audited start ...``: ``fairlead start`` that also writes down who asked it for what.

The product's dispatcher tells an auditor of each answer; this gives it one. A line of the file that ``SOAK_REQUESTS``
names is ``{"at", "user", "method", "target", "code"}``, written before the answer is sent: what a client has heard is
there, even when the server is killed right after.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partialmethod

import orjson

from fairlead_api.request import RequestInfo, User
from fairlead_cli.main import main
from fairlead_control_plane.http.dispatch import Dispatcher
from fairlead_machinery.web import Request, Response


def _auditor(file: int) -> object:
    def audit(request: Request, user: User, info: RequestInfo | None, response: Response) -> None:
        del info
        line = {
            "at": time.time(),
            "user": user.name,
            "method": request.method,
            "target": request.target,
            "code": response.code,
        }
        os.write(file, orjson.dumps(line) + b"\n")

    return audit


if __name__ == "__main__":
    log = os.open(os.environ["SOAK_REQUESTS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    Dispatcher.__init__ = partialmethod(Dispatcher.__init__, audit=_auditor(log))  # type: ignore[method-assign,assignment]
    sys.exit(main(prog_name="fairlead"))
