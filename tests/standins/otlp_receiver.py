"""A receiver of OpenTelemetry's traces, as a collector is: OTLP over HTTP, in protobuf."""

from __future__ import annotations

import gzip
from types import TracebackType
from typing import Any

import msgspec
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A span as it came in; ids in hex, times in ns."""

    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    began: int
    ended: int
    role: str
    attributes: dict[str, Any]


class OtlpReceiver:
    """Keeps every span that it is sent, and all bytes as they came."""

    def __init__(self) -> None:
        self.spans: list[Arrived] = []
        self.raw = b""
        self.refuse = False
        self.requests = 0

    def of_trace(self, trace: str) -> list[Arrived]:
        return sorted((one for one in self.spans if one.trace == trace), key=lambda one: one.began)

    def named(self, name: str) -> list[Arrived]:
        return [one for one in self.spans if one.name == name]

    async def __aenter__(self) -> OtlpReceiver:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes([web.post("/v1/traces", self._take)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.refuse:
            return web.Response(status=400)
        body = await request.read()
        body = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = _plain(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += [
                    Arrived(
                        name=span.name,
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        links=tuple(link.span_id.hex() for link in span.links),
                        began=span.start_time_unix_nano,
                        ended=span.end_time_unix_nano,
                        role=about.get("exowatch.role", ""),
                        attributes=_plain(span.attributes),
                    )
                    for span in scope.spans
                ]
        return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf")


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
