"""The receivers in docs/receive.md, run as they stand there against what exowatch sends."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.settings.model import Endpoint
from monitor.words import now_ms
from tests.receiver import OTHER_SECRET, SECRET
from workers.deliver.webhook import Webhook, signed_headers

PAGE = (Path(__file__).parents[1] / "docs" / "receive.md").read_text()
BODY = '{"type":"test","timestamp":"2026-11-22T12:00:00.000Z","data":{"alert_id":"a_1","text":"é"}}'.encode()


def code(language: str) -> str:
    return PAGE.partition(f"```{language}\n")[2].partition("```")[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_a_receiver_takes_what_is_signed_once_and_nothing_else(language: str, tmp_path: Path) -> None:
    program = {"python": sys.executable, "javascript": shutil.which("node")}[language]
    if program is None:
        pytest.skip("there is no node: install nodejs (.ci/run has to as well)")
    file = tmp_path / {"python": "receiver.py", "javascript": "receiver.mjs"}[language]
    file.write_text(code(language))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        program,
        file,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOOK_SECRET": SECRET, "PORT": str(port)},
    )
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{port}/"

        async def send(secret: str | list[str], webhook_id: str, age_s: int = 0) -> int | None:
            channel = Webhook(Endpoint(name="x", kind="webhook", url=url, secret=secret, allow_private=True), connections=1)
            try:
                return (await channel.send(webhook_id, BODY, now_ms() - age_s * 1000)).status
            finally:
                await channel.close()

        assert await send(SECRET, "msg_1") in (200, 204)
        assert await send(SECRET, "msg_1") in (200, 204), "the second time it is taken and not handled"
        assert await send(OTHER_SECRET, "msg_2") == 401
        assert await send(SECRET, "msg_3", age_s=600) == 401
        assert await send([OTHER_SECRET, SECRET], "msg_4") in (200, 204), "while the secret is changed"
        assert process.stdout is not None
        lines = [await asyncio.wait_for(process.stdout.readline(), 60) for _ in range(2)]
    finally:
        process.kill()
        rest, _ = await process.communicate()
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
