"""The receivers in docs/receive.md, run as they stand there against what exowatch sends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from monitor.settings.model import Endpoint
from monitor.times import now_ms
from tests.receiver import OTHER_SECRET, SECRET
from workers.deliver.webhook import Webhook, signed_headers

PAGE = (Path(__file__).parents[1] / "docs" / "receive.md").read_text()
BODY = '{"type":"test","timestamp":"2026-11-22T12:00:00.000Z","data":{"alert_id":"a_1","text":"é"}}'.encode()


def code(language: str) -> str:
    return PAGE.partition(f"```{language}\n")[2].partition("```")[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


# The programs by a clock that stands in a file, so that what was signed once can be sent as if it were that time.
CLOCKS = {
    "python": """
import datetime, pathlib, standardwebhooks.webhooks as webhooks
class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(int(pathlib.Path(__file__).with_name("now").read_text()), tz)
webhooks.datetime = Clock
""",
    "javascript": """
import { readFileSync } from "node:fs";
Date.now = () => Number(readFileSync(new URL("now", import.meta.url))) * 1000;
""",
}


class Program:
    """A receiver of the page while it runs."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}/"
        self.port = port

    async def lines(self, number: int) -> list[bytes]:
        assert self.process.stdout is not None
        return [await asyncio.wait_for(self.process.stdout.readline(), 60) for _ in range(number)]


@asynccontextmanager
async def running(language: str, folder: Path, *, clock: bool = False) -> AsyncIterator[Program]:
    """The program of this language, as it stands on the page; with `clock` by the time in the file `now` in that folder."""
    program = {"python": sys.executable, "javascript": shutil.which("node")}[language]
    if program is None:
        pytest.skip("there is no node: install nodejs (.ci/run has to as well)")
    file = folder / {"python": "receiver.py", "javascript": "receiver.mjs"}[language]
    file.write_text(code(language))
    words = [str(file)]
    if clock:
        other = folder / {"python": "sitecustomize.py", "javascript": "clock.mjs"}[language]
        other.write_text(CLOCKS[language])
        words = words if language == "python" else ["--import", str(other), *words]
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOOK_SECRET": SECRET, "PORT": str(port), "PYTHONPATH": str(folder)},
    )
    try:
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None
                try:
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0.01)
        yield Program(process, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_a_receiver_refuses_the_published_vectors_that_are_not_right(language: str, tmp_path: Path, shared: Path) -> None:
    vectors = json.loads((shared / "wire/dev/webhooks/vectors.json").read_text())
    wrong = [one for one in vectors if not one["valid"] or one["scheme"] != "standard-webhooks"]
    assert {"bad_signature", "too_old", "missing_id", "asymmetric_v1a", "stripe_ok"} <= {one["name"] for one in wrong}
    async with running(language, tmp_path, clock=True) as program, aiohttp.ClientSession() as session:

        async def answer(now: int, headers: dict[str, str], body: bytes) -> int:
            (tmp_path / "now").write_text(str(now))
            async with session.post(program.url, data=body, headers=headers) as answered:
                return answered.status

        for one in wrong:
            assert await answer(one["now"], one["headers"], one["payload"].encode()) == 401, one["name"]
            # By the same clock what is signed rightly is taken: it was the signature that was refused.
            assert await answer(one["now"], signed_headers([SECRET], one["name"], one["now"] * 1000, BODY), BODY) in (200, 204)
        if language == "javascript":  # the other one wants an event in the body, and the vectors hold none
            for one in vectors:
                if one not in wrong:
                    assert await answer(one["now"], one["headers"], one["payload"].encode()) == 204, one["name"]


@pytest.mark.parametrize("language", ["python", "javascript"])
@pytest.mark.parametrize(
    "signature", [b"", b"v1", b"v1,", b",", b"v1,%%%", b"v1," + b"\xe9" * 44, b"v2,AAAA", b"v1," + b"A" * 43 + b"=", b"\xff" * 47]
)
async def test_no_signature_however_it_is_written_ends_a_receiver(language: str, signature: bytes, tmp_path: Path) -> None:
    async with running(language, tmp_path) as program:
        reader, writer = await asyncio.open_connection("127.0.0.1", program.port)
        at = str(now_ms() // 1000).encode()
        head = b"POST / HTTP/1.1\r\nhost: x\r\nwebhook-id: m\r\nwebhook-timestamp: " + at + b"\r\nwebhook-signature: " + signature
        writer.write(head + b"\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY)
        status = await asyncio.wait_for(reader.readline(), 60)
        writer.close()
        assert status.split()[1:2] == [b"401"]
        channel = Webhook(Endpoint(name="x", kind="webhook", url=program.url, secret=SECRET, allow_private=True), connections=1)
        try:
            assert (await channel.send("msg_1", BODY, now_ms())).status in (200, 204), "it runs on"
        finally:
            await channel.close()


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_a_receiver_takes_what_is_signed_once_and_nothing_else(language: str, tmp_path: Path) -> None:
    async with running(language, tmp_path) as program:

        async def send(secret: str | list[str], webhook_id: str, age_s: int = 0) -> int | None:
            endpoint = Endpoint(name="x", kind="webhook", url=program.url, secret=secret, allow_private=True)
            channel = Webhook(endpoint, connections=1)
            try:
                return (await channel.send(webhook_id, BODY, now_ms() - age_s * 1000)).status
            finally:
                await channel.close()

        assert await send(SECRET, "msg_1") in (200, 204)
        assert await send(SECRET, "msg_1") in (200, 204), "the second time it is taken and not handled"
        assert await send(OTHER_SECRET, "msg_2") == 401
        assert await send(SECRET, "msg_3", age_s=600) == 401
        assert await send([OTHER_SECRET, SECRET], "msg_4") in (200, 204), "while the secret is changed"
        lines = await program.lines(2)
        program.process.kill()
        rest, _ = await program.process.communicate()
    assert [line.split()[0] for line in lines] == [b"test", b"test"]
    assert b"a_1" in lines[0]
    assert rest == b""


def test_the_shell_line_gives_the_signature(tmp_path: Path) -> None:
    if not all(map(shutil.which, ("openssl", "base64", "od"))):
        pytest.skip("there is no openssl, base64 or od")
    (tmp_path / "body.json").write_bytes(BODY)
    headers = signed_headers([SECRET], "msg_1", now_ms(), BODY)
    told = {"WEBHOOK_ID": "msg_1", "WEBHOOK_TIMESTAMP": headers["webhook-timestamp"], "HOOK_SECRET": SECRET}
    shown = subprocess.run(
        ["/bin/sh", "-c", code("sh")], cwd=tmp_path, env={"PATH": os.environ["PATH"], **told}, capture_output=True, check=True
    )
    assert f"v1,{shown.stdout.decode().strip()}" == headers["webhook-signature"]


def test_the_receivers_are_short() -> None:
    for language in ("python", "javascript"):
        assert len([line for line in code(language).splitlines() if line.strip()]) <= 15
