"""What every route answers with: documents as JSON, and streams that hold a place while they last."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from orchestrator.viewer.documents.encoding import to_json
from orchestrator.viewer.server.streams import Places

NOT_KEPT = {"cache-control": "no-store"}


def json_answer(document: Any, status: int = 200) -> Response:
    """A document (or the JSON of one, as bytes) that no browser keeps."""
    data = document if isinstance(document, bytes) else to_json(document)
    return Response(data, status, NOT_KEPT, "application/json")


class StreamAnswer(StreamingResponse):
    """A stream of bytes. Its place is taken now and given back when it ends, however it ends.

    A client may be gone before the first byte: then nobody ever asks the generator for anything, and only the answer
    knows. Raises TooManyStreamsError.
    """

    def __init__(self, content: AsyncGenerator[bytes], media_type: str, places: Places) -> None:
        places.take()
        super().__init__(content, 200, NOT_KEPT | {"x-accel-buffering": "no"}, media_type)
        self._content, self._places = content, places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            try:
                await self._content.aclose()
            finally:
                self._places.give()
