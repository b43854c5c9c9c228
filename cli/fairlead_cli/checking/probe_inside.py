"""
Runs in a Pod of a cluster, by itself: does the control plane answer from there?

Takes ``FAIRLEAD_URL`` and ``FAIRLEAD_CA`` (PEM, "" for the system's) from the environment; leaves one JSON object in
the Pod's termination message: ``{"ok": true}``, or ``{"ok": false, "stage", "why"}`` with the stage name, connection,
TLS or answer.
Nothing but the standard library, as any image with Python will do.
"""

import http.client
import json
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

TIMEOUT_S = 10.0


def look(url: str, authority: str) -> "tuple[str, str]":
    """Return at which stage it failed, and why; two empty texts when it answers."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    stage = "name"
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
        stage = "connection"
        with socket.create_connection((str(address[0]), port), TIMEOUT_S) as plain:
            stage = "TLS"
            context = ssl.create_default_context(cadata=authority or None)
            with context.wrap_socket(plain, server_hostname=host) as secure:
                stage = "answer"
                secure.sendall(f"GET /version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                answer = http.client.HTTPResponse(secure)
                answer.begin()
                if answer.status >= 500:
                    return stage, f"HTTP {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return stage, str(error) or type(error).__name__
    return "", ""


def main() -> int:
    """Look, and leave word."""
    stage, why = look(os.environ["FAIRLEAD_URL"], os.environ.get("FAIRLEAD_CA", ""))
    message = {"ok": False, "stage": stage, "why": why[:1000]} if stage else {"ok": True}
    with open(os.environ.get("FAIRLEAD_MESSAGE", "/dev/termination-log"), "w", encoding="utf-8") as file:
        json.dump(message, file)
    return 1 if stage else 0


if __name__ == "__main__":
    sys.exit(main())
