"""
The time as a server has it (fault F36): what is proved to a server, or ends there, is dated by its clock.

Learnt from the ``Date`` of any answer, a refusal included. An agent whose own clock is right never notices.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import structlog

from fairlead_machinery.client import Client
from fairlead_machinery.transport import Unreachable

_NOTICED_S = 5.0
"""Less is no skew: the header knows whole seconds, and the answer was on its way."""
_ANSWER_S = 10.0
_log = structlog.get_logger(__name__)


class ServerClock:
    """
    A server's clock.

    Args:
        client: Reaches the server.
        name: Of the server, for the log.
        now_s: This machine's clock, in seconds since the epoch.
    """

    def __init__(self, client: Client, name: str, now_s: Callable[[], float]) -> None:
        self._client = client
        self._name = name
        self._now_s = now_s
        self._offset_s = 0.0

    def now_s(self) -> float:
        """Return seconds since the epoch by the server's clock, as far as it is known."""
        return self._now_s() + self._offset_s

    async def learn(self) -> bool:
        """Compare clocks; return whether more is known now. A server that does not answer changes nothing."""
        before_s = self._now_s()
        try:
            async with self._client.stream("GET", "/version", open_timeout_s=_ANSWER_S) as response:
                date = response.headers.get("Date", "")
        except Unreachable:
            return False
        try:
            server_s = parsedate_to_datetime(date).timestamp() + 0.5
        except (TypeError, ValueError):
            return False
        offset_s = server_s - (before_s + self._now_s()) / 2
        if abs(offset_s) < _NOTICED_S:
            offset_s = 0.0
        is_news = abs(offset_s - self._offset_s) >= _NOTICED_S
        if is_news:
            _log.warning("this machine's clock differs from the server's", server=self._name, ahead_s=-round(offset_s))
            self._offset_s = offset_s
        return is_news
