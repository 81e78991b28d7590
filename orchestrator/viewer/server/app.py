"""The ASGI application: pages, documents, images, and what is live."""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from orchestrator.client import JobsClient, JobsError, NotFoundError, UnavailableError
from orchestrator.store.shelf import Shelf
from orchestrator.viewer.assets import PAGE, STATIC
from orchestrator.viewer.documents.catalog import Abilities, catalog
from orchestrator.viewer.documents.images import NoPictureError, generated_image, top_image
from orchestrator.viewer.server.answers import json_answer
from orchestrator.viewer.server.library import Library
from orchestrator.viewer.server.live import Live
from orchestrator.viewer.server.requests import BadRequestError, number
from orchestrator.viewer.server.security import LOOPBACK_NAMES, Guard
from orchestrator.viewer.server.streams import TooManyStreamsError

_KEPT_IMAGES = 4096  # of 10 to 20 KB each
_FOR_A_DAY = {"cache-control": "private, max-age=86400, immutable"}


def make_app(
    library: Library, client: JobsClient, connect: Callable[[], JobsClient], hosts: Collection[str] = LOOPBACK_NAMES
) -> Starlette:
    """The application, for browsers that call it by one of `hosts`.

    `client` is shared by all calls; `connect` opens another connection to the Jobs API, for one stream.
    """
    pages, live = Pages(library), Live(client, connect)
    abilities = Abilities(live=True, explain=True, probe=True, search=True, names=library.names)

    def first(request: Request) -> Response:
        return json_answer(catalog(library.infos(), abilities))

    return Starlette(
        routes=[
            Route("/", lambda _: FileResponse(PAGE, headers={"cache-control": "no-cache"})),
            Route("/health", lambda _: json_answer({"status": "ok"})),
            Route("/data/catalog.json", first),
            Route("/data/{job}/table.json", pages.table),
            Route("/data/{job}/map.json", pages.map),
            Route("/api/names/{job}", pages.name, methods=["POST"]),
            Route("/data/{job}/feature/{feature}.json", pages.feature),
            Route("/images/generated/{name}.webp", pages.generated),
            Route("/images/{index}/{image}.webp", pages.image),
            *live.routes(),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers=dict.fromkeys((JobsError, LookupError, BadRequestError, TooManyStreamsError), _answer),
    )


class Pages:
    """Documents and images; blocking, so Starlette calls its methods in threads. They raise what `Library` raises."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._images: Shelf[str, bytes] = Shelf(_KEPT_IMAGES)

    def table(self, request: Request) -> Response:
        return json_answer(self._library.table(request.path_params["job"]))

    def feature(self, request: Request) -> Response:
        return json_answer(self._library.feature(request.path_params["job"], number(request, "feature")))

    def map(self, request: Request) -> Response:
        """202 while the map is worked out."""
        found = self._library.map(request.path_params["job"])
        return json_answer({"working": True}, 202) if found is None else json_answer(found)

    def name(self, request: Request) -> Response:
        return json_answer(self._library.name(request.path_params["job"]))

    def image(self, request: Request) -> Response:
        index, image = request.path_params["index"], number(request, "image")
        return self._picture(f"{index}/{image}", lambda: top_image(self._library.indexes.get(index), image))

    def generated(self, request: Request) -> Response:
        name = request.path_params["name"]
        return self._picture(name, lambda: generated_image(self._library.store, name))

    def _picture(self, key: str, make: Callable[[], bytes]) -> Response:
        data = self._images.get(key)
        if data is None:
            data = make()
            self._images.put(key, data)
        return Response(data, 200, _FOR_A_DAY, "image/webp")


def _answer(request: Request, error: Exception) -> Response:
    """A known fault as a status and one sentence."""
    if isinstance(error, LookupError | NotFoundError):
        status = 404
    elif isinstance(error, TooManyStreamsError):
        status = 429
    elif isinstance(error, UnavailableError):
        status = 503
    else:
        status = 400
    quiet = isinstance(error, NoPictureError)
    text = "the picture is gone" if quiet else str(error.args[0]) if error.args else str(error)
    return json_answer({"error": text}, status)
