"""What a kubelet is told of an agent."""

from __future__ import annotations

import asyncio

import pytest

from fairlead_syncer.health import Health, once


async def _get(port: int, text: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def test_alive_from_the_start_and_ready_when_all_holds() -> None:
    """Live at once; ready once there is something to hold and it does; what fails is named."""
    health, told = Health(), [False]

    async def is_told() -> bool:
        return told[0]

    async def always() -> bool:
        return True

    async with health.listening(("127.0.0.1", 0)) as port:
        live = await _get(port, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert live.startswith("HTTP/1.1 200 ")
        assert live.endswith("\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        assert await health.answer("/readyz") == (503, "starting")
        health.ready = {"control plane": is_told, "cluster": always}
        assert await health.answer("/readyz") == (503, "not yet: control plane")
        told[0] = True
        assert (await _get(port, "GET /readyz?verbose HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("wrong", ["POST /readyz HTTP/1.1\r\n\r\n", "\x16\x03\x01\r\n\r\n"])
async def test_what_is_no_get_is_refused(wrong: str) -> None:
    """Whatever comes is answered or cut off, and the next one is served."""
    async with Health().listening(("127.0.0.1", 0)) as port:
        assert (await _get(port, wrong)).startswith("HTTP/1.1 400 ")
        assert await _get(port, "GET /" + "x" * 5000 + "\r\n\r\n") == ""
        assert (await _get(port, "GET /x HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 404 ")


async def test_what_held_once_is_not_asked_again() -> None:
    """And what did not is."""
    answers = [False, True]

    async def asked() -> bool:
        return answers.pop(0)

    check = once(asked)
    assert [await check() for _ in range(3)] == [False, True, True]
