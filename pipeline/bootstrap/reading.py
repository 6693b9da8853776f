"""Reading articles with no service at all: nothing here imports a broker, a store or a warehouse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.adapters.clock import SystemClock
from pipeline.errors import Misconfigured
from pipeline.fetch import Source, Spoiled, pull
from pipeline.ports import Model, Response
from pipeline.settings import Settings


def model(s: Settings) -> Model:
    """Return the model that reads sentences. Raises `Misconfigured` when its folder is none."""
    from pipeline.adapters.onnx import OnnxModel

    installed = Path(__file__).parent.parent / "_models" / s.model.name
    folder = s.model if s.model.is_dir() or not installed.is_dir() else installed
    shipped = OnnxModel(folder, threads=s.model_threads)
    if not s.entity_model:
        return shipped
    from pipeline.adapters.hub import HubEntities

    return HubEntities(shipped, s.entity_model)


class _NoFetcher:
    """A file is read where it lies; nothing it links to is fetched."""

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:  # noqa: ARG002
        raise Misconfigured(f"{url} is not fetched: `depeche extract` reads what it is given")


def extracted(inputs: Iterator[tuple[str, bytes]]) -> Iterator[Any]:
    """Yield an enriched article, or why there is none, for each article of the inputs; needs no service."""
    from pipeline.adapters.memory_store import MemoryStore
    from pipeline.extract import Turned, extract

    now = SystemClock().now()

    def lines(name: str, body: bytes) -> Iterator[Any]:
        files = MemoryStore()
        files.create("input.jsonl", body)
        source = Source(name="extract", kind="jsonl", path="input.jsonl")
        for haul in pull(source, None, fetcher=_NoFetcher(), files=files, now=now):
            for item in haul.items:
                yield (
                    Turned(name + item.position[len("input.jsonl") :], item.flaw) if isinstance(item, Spoiled) else item
                )

    yield from extract(inputs, lines=lines, model=model(Settings.from_env()), now=now)
