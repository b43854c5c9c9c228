"""The chaos link breaks what it is told to break, and nothing else; with a real echo server behind it."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import make_authority
from tests.support.chaos import CALM, Link, Weather, chaos_link
from tests.support.waiting import wait_until

SOON_S = 5.0


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(1 << 16):
                self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def link() -> Iterator[Link]:
    with _Server(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with chaos_link("127.0.0.1", server.server_address[1]) as made:
                yield made
        finally:
            server.shutdown()
            thread.join()


def _connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=SOON_S)


def _echoed(connection: socket.socket, data: bytes = b"hello") -> bytes:
    connection.sendall(data)
    found = b""
    while len(found) < len(data) and (more := connection.recv(1 << 16)):
        found += more
    return found


def _is_silent(connection: socket.socket, for_s: float = 0.2) -> bool:
    connection.settimeout(for_s)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(SOON_S)
    return False


def test_calm_passes_all(link: Link) -> None:
    """A megabyte comes back whole, and the end of one side ends the other."""
    with _connect(link) as connection:
        data = bytes(range(256)) * 4096
        threading.Thread(target=connection.sendall, args=(data,)).start()
        found = b""
        while len(found) < len(data):
            found += connection.recv(1 << 16)
        assert found == data
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    wait_until(lambda: link.connections == 0, SOON_S)


def test_resets(link: Link) -> None:
    """Open connections and new ones are reset, not merely closed; calm takes new ones again."""
    with _connect(link) as before:
        assert _echoed(before) == b"hello"
        link.be(Weather("reset"))
        with pytest.raises(ConnectionResetError):
            before.recv(1)
    with pytest.raises(ConnectionResetError), _connect(link) as during:
        _echoed(during)
    link.calm()
    with _connect(link) as after:
        assert _echoed(after) == b"hello"
        link.sever()
        with pytest.raises(ConnectionResetError):
            after.recv(1)


def test_refused(link: Link) -> None:
    """Nobody listens, and later somebody does at the same address."""
    port = link.port
    link.be(Weather("refused"))
    with pytest.raises(ConnectionRefusedError):
        _connect(link)
    link.calm()
    with _connect(link) as connection:
        assert (_echoed(connection), link.port) == (b"hello", port)


def test_a_black_hole_keeps_what_was_sent(link: Link) -> None:
    """Nothing passes in either direction; what was under way arrives when it ends, as TCP sends again."""
    with _connect(link) as old:
        assert _echoed(old) == b"hello"
        link.be(Weather("silent"))
        old.sendall(b"later")
        with _connect(link) as new:
            new.sendall(b"later")
            assert _is_silent(old)
            assert _is_silent(new)
            link.calm()
            assert [old.recv(5), new.recv(5)] == [b"later", b"later"]


def test_half_open_stays_so(link: Link) -> None:
    """A frozen connection is dead for ever and never says so; new ones work."""
    with _connect(link) as old:
        assert _echoed(old) == b"hello"
        link.freeze()
        old.sendall(b"lost")
        with _connect(link) as new:
            assert _echoed(new) == b"hello"
        link.calm()
        assert _is_silent(old)


def test_delay_and_bandwidth(link: Link) -> None:
    """Each direction takes its time."""
    with _connect(link) as connection:
        link.be(Weather(delay_s=0.1))
        began_s = time.monotonic()
        assert _echoed(connection) == b"hello"
        assert time.monotonic() - began_s >= 0.2
        link.be(Weather(bytes_per_s=10_000))
        began_s = time.monotonic()
        assert _echoed(connection, b"x" * 2000) == b"x" * 2000
        assert time.monotonic() - began_s >= 0.4


def test_cut_in_the_middle(link: Link) -> None:
    """Exactly so many bytes of the answer, and then a reset."""
    link.be(Weather(cut_after=300))
    with _connect(link) as connection:
        connection.sendall(b"x" * 1000)
        found = connection.recv(1 << 16)
        while len(found) < 300:
            found += connection.recv(1 << 16)
        assert found == b"x" * 300
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_loss_follows_the_seed(link: Link) -> None:
    """Of many connections about the share that was asked for is lost."""
    link.be(Weather(lost=0.5))
    lost = 0
    for _ in range(40):
        try:
            with _connect(link) as connection:
                lost += _echoed(connection) != b"hello"
        except ConnectionResetError:
            lost += 1
    assert 8 <= lost <= 32


def test_a_script_plays_by_itself(link: Link) -> None:
    """One weather after the other, and calm after the last."""
    link.play([(0.2, Weather("refused")), (0.2, Weather("garbage"))])
    with pytest.raises(ConnectionRefusedError):
        _connect(link)
    wait_until(lambda: link.weather.way == "garbage", SOON_S)
    with _connect(link) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100).startswith(b"this is no TLS")
    wait_until(lambda: link.weather == CALM, SOON_S)


def test_tls_passes_through_and_leads_elsewhere(link: Link, tmp_path: Path) -> None:
    """The certificate is the far end's own; led elsewhere, the client sees another's and refuses it."""
    folders = [tmp_path / "right", tmp_path / "wrong"]
    with contextlib.ExitStack() as stack:
        ports = []
        for folder in folders:
            folder.mkdir()
            serving = make_authority(folder).issue(folder, "server")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(serving.certificate, serving.key)
            server = stack.enter_context(_Server(("127.0.0.1", 0), _Echo))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            ports.append(server.server_address[1])
        client = ssl.create_default_context(cafile=str(folders[0] / "ca.crt"))
        link.lead_to("127.0.0.1", ports[0])
        with client.wrap_socket(_connect(link), server_hostname="localhost") as connection:
            connection.sendall(b"hello")
            assert connection.recv(5) == b"hello"
        link.lead_to("127.0.0.1", ports[1])
        with pytest.raises(ssl.SSLCertVerificationError):
            client.wrap_socket(_connect(link), server_hostname="localhost")
