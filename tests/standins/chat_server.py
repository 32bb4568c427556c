"""A server that speaks the chat-completions format, with a model whose answers a test decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from monitor.settings import Classifier
from tests.standins.scripted import Reply, ScriptedServer

Model = Callable[[str], Any]


def claim(quote: str, key: str, stance: str = "asserts", **more: Any) -> dict[str, Any]:
    """One claim as a model answers it."""
    values = {"other_type": None, "other_claim": None, "distance": False, "testimonial": False}
    return {"quote": quote, "key": key, "stance": stance} | values | more


def answer(*claims: dict[str, Any], relevant: bool = True, adverse_event: bool = False) -> dict[str, Any]:
    """A whole answer."""
    return {"relevant": relevant, "adverse_event": adverse_event, "claims": list(claims)}


def completion(
    content: Any, *, finish_reason: str = "stop", refusal: str | None = None, tokens: tuple[int, int] = (900, 100)
) -> Reply:
    """A chat completion with this content, which is JSON unless it is text already."""
    said = content if isinstance(content, str) or content is None else json.dumps(content)
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_763_812_800,
        "model": "reader-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": said, "refusal": refusal},
                "logprobs": None,
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
    }
    return json_reply(200, body)


def json_reply(status: int, body: Any, **headers: str) -> Reply:
    """A JSON answer. Header names are written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body), {"Content-Type": "application/json", **named})


def error(status: int, message: str = "no", param: str | None = None, **headers: str) -> Reply:
    """An error as such servers put it."""
    return json_reply(
        status, {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": None}}, **headers
    )


class ChatServer(ScriptedServer):
    """`model` makes the answer to a post's text; `next(…)` scripts other answers; `requests` are the bodies that came in.

    `hold` keeps answers back until `release`; `most` is how many it had in hand at once.
    """

    def __init__(self, model: Model = lambda _: answer(), *, key: str = "sk-test") -> None:
        super().__init__()
        self.model = model
        self.requests: list[dict[str, Any]] = []
        self.tokens = (900, 100)
        self.lists_models = True
        self.most = 0
        self._key = key
        self._in_hand = 0
        self._held = asyncio.Event()
        self._held.set()

    @property
    def url(self) -> str:
        """The `base_url`."""
        return f"{self.origin}/v1"

    def settings(self, **more: Any) -> Classifier:
        """Settings of a classifier that is this server's model."""
        values = {"kind": "openai", "base_url": self.url, "model": "reader-1", "api_key": SecretStr(self._key), "timeout": 5}
        return Classifier(**(values | more))

    def texts(self) -> list[str]:
        """The posts that the model was asked about."""
        return [json.loads(request["messages"][1]["content"])["text"] for request in self.requests]

    def hold(self) -> None:
        self._held.clear()

    def release(self) -> None:
        self._held.set()

    async def until_in_hand(self, number: int) -> None:
        """Waits until it has so many requests in hand."""
        async with asyncio.timeout(10):
            while self._in_hand < number:
                await asyncio.sleep(0.005)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._in_hand += 1
        self.most = max(self.most, self._in_hand)
        try:
            if request.method == "POST":
                self.requests.append(await request.json())
            await self._held.wait()
            return await super()._handle(request)
        finally:
            self._in_hand -= 1

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the real ones answer: models, completions, and errors where a request is wrong."""
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            reply = error(401, f"Incorrect API key provided: {request.headers.get('Authorization')}")
        elif (request.method, request.path, self.lists_models) == ("GET", "/v1/models", True):
            models = [{"id": name, "object": "model", "created": 1, "owned_by": "me"} for name in ("reader-1", "writer-1")]
            reply = json_reply(200, {"object": "list", "data": models})
        elif (request.method, request.path) == ("POST", "/v1/chat/completions"):
            reply = self._complete(await request.json())
        else:
            reply = error(404, f"Invalid URL ({request.method} {request.path})")
        return await self.send(request, reply)

    def _complete(self, body: dict[str, Any]) -> Reply:
        if body["model"] != "reader-1":
            return error(404, f"The model {body['model']} does not exist")
        if "response_format" not in body:
            return completion("ok", tokens=(8, 1))
        problem = _not_strict(body["response_format"]["json_schema"])
        if problem:
            return error(400, problem, "response_format")
        text = json.loads(body["messages"][1]["content"])["text"]
        return completion(self.model(text), tokens=self.tokens)


def _not_strict(form: dict[str, Any]) -> str:
    """What strict servers reject in a schema: an optional field, an open object, a bound; '' where all is well."""
    if form.get("strict") is not True or not form.get("name"):
        return "strict and name are wanted"

    def walk(part: Any) -> str:
        if not isinstance(part, dict):
            return ""
        if part.get("type") == "object" and (
            part.get("additionalProperties") is not False or part["required"] != list(part["properties"])
        ):
            return "'additionalProperties' is required to be false, and every property to be required"
        if {"maxLength", "minLength", "maxItems"} & part.keys():
            return "bounds are not permitted"
        if len(part.get("enum", ())) > 1_000:
            return "too many enum values"
        return next((said for inner in (*part.get("properties", {}).values(), part.get("items")) if (said := walk(inner))), "")

    return walk(form["schema"])
