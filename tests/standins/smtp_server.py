"""A mail server on a free port of loopback: it takes what it is given, or answers as the test says."""

from __future__ import annotations

import asyncio
import email
import email.policy
from email.message import EmailMessage
from types import TracebackType
from typing import cast


class MailServer:
    """`kept` holds the messages that came. `refusal` is answered to a recipient instead of 250, where it is set."""

    def __init__(self) -> None:
        self.kept: list[EmailMessage] = []
        self.refusal = ""
        self.port = 0

    async def __aenter__(self) -> MailServer:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        say("220 mail ready")
        try:
            while line := (await reader.readline()).decode().strip():
                word = line.split(" ")[0].upper()
                if word == "DATA":
                    say("354 go on")
                    raw = await reader.readuntil(b"\r\n.\r\n")
                    message = email.message_from_bytes(raw[:-5], policy=email.policy.default)
                    self.kept.append(cast(EmailMessage, message))
                    say("250 kept")
                elif word == "RCPT":
                    say(self.refusal or "250 fine")
                elif word == "QUIT":
                    say("221 goodbye")
                    break
                else:
                    say("250 fine")
        finally:
            writer.close()
