"""The HTTP service, on Granian's RSGI interface.

Small requests are answered on the event loop: a prediction takes less time than handing it to a thread. A new champion
is loaded beside the old one and takes over between two requests.
"""

import asyncio
import gc
import random
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from ..cli import UserError
from ..settings import Settings, load_settings
from .openapi import example_row, openapi
from .prediction_log import PredictionLog
from .predictor import Predictor, current_version, load_current
from .requests import BadRequestError, InvalidRowsError
from .telemetry import Telemetry

INLINE_ROWS = 64
RETRY_AFTER_SECONDS = "1"
PAGE = Path(__file__).with_name("page.html")
JSON = [("content-type", "application/json")]
Reply = tuple[int, list[tuple[str, str]], bytes]
Handler = Callable[[Any, Any], Awaitable[Reply]]


class TooLargeError(Exception):
    """The body is over the limit."""


def json_reply(status: int, content: Any, *headers: tuple[str, str]) -> Reply:
    """A reply with a JSON body."""
    return status, [*JSON, *headers], msgspec.json.encode(content)


def error_reply(status: int, reason: str, *headers: tuple[str, str]) -> Reply:
    """A reply that says what is wrong."""
    return json_reply(status, {"error": reason}, *headers)


async def read_body(scope: Any, protocol: Any, limit: int) -> bytes:
    """The body of a request; raises TooLargeError before more than `limit` bytes are kept."""
    length = scope.headers.get("content-length")
    if length is not None:
        if int(length) > limit:
            raise TooLargeError
        return bytes(await protocol())
    body = bytearray()
    async for chunk in protocol:
        body += chunk
        if len(body) > limit:
            raise TooLargeError
    return bytes(body)


class Service:
    """State of one process: the model that answers, the log, the metrics."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = Path(settings.serve_model_dir)
        self.telemetry = Telemetry()
        self.log = PredictionLog(Path(settings.serve_log_path), settings.serve_log_max_bytes, settings.serve_log_files)
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict")
        self.predictor: Predictor | None = None
        self.problem = ""
        self.in_progress = 0
        self.watcher: asyncio.Task[None] | None = None
        self.routes: dict[str, tuple[str, Handler]] = {
            "/predict": ("POST", self.predict),
            "/health/live": ("GET", self.live),
            "/health/ready": ("GET", self.ready),
            "/metrics": ("GET", self.metrics),
            "/info": ("GET", self.info),
            "/openapi.json": ("GET", self.openapi),
            "/": ("GET", self.page),
        }
        try:
            self.use(load_current(self.root))
        except UserError as error:
            self.problem = str(error)

    def use(self, predictor: Predictor) -> None:
        """Answer with this model from now on; requests that have begun keep theirs."""
        self.predictor, self.problem = predictor, ""
        self.telemetry.use_model(predictor.version, predictor.runtime)
        gc.collect()
        gc.freeze()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.watcher = loop.create_task(self.watch())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.watcher is not None:
            self.watcher.cancel()
        self.log.close()

    async def watch(self) -> None:
        """Load a new champion when current.json names one; a version that does not load leaves the old one in place."""
        while True:
            await asyncio.sleep(self.settings.serve_reload_seconds)
            await self.reload_if_changed()

    async def reload_if_changed(self) -> None:
        """One look at current.json."""
        try:
            version = current_version(self.root)
            if self.predictor is not None and version == self.predictor.version:
                return
            self.use(await asyncio.get_running_loop().run_in_executor(self.pool, load_current, self.root))
            print(f"version {version} answers from now on", flush=True)
        except UserError as error:
            if str(error) != self.problem:
                self.problem = str(error)
                self.telemetry.reload_failures.inc()
                answering = f"version {self.predictor.version}" if self.predictor else "no model"
                print(f"error: {error}; {answering} answers", flush=True)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        started = time.perf_counter()
        method, handler = self.routes.get(scope.path, ("", None))
        if handler is None:
            path, reply = "other", error_reply(404, f"there is no {scope.path}")
        elif scope.method != method:
            path, reply = scope.path, error_reply(405, f"{scope.path} takes {method}", ("allow", method))
        else:
            path, reply = scope.path, await self.guarded(handler, scope, protocol)
        protocol.response_bytes(*reply)
        self.telemetry.requests.labels(path, str(reply[0])).inc()
        self.telemetry.latency.labels(path).observe(time.perf_counter() - started)

    async def guarded(self, handler: Handler, scope: Any, protocol: Any) -> Reply:
        """The reply of a handler; a fault of ours is told to the log and not to the client."""
        try:
            return await handler(scope, protocol)
        except Exception:
            traceback.print_exc()
            return error_reply(500, "an internal error; the service's output has the details")

    async def predict(self, scope: Any, protocol: Any) -> Reply:
        """Check, predict, log."""
        predictor = self.predictor
        if predictor is None:
            return error_reply(503, self.problem, ("retry-after", RETRY_AFTER_SECONDS))
        if self.in_progress >= self.settings.serve_max_queue:
            return error_reply(503, "too many requests wait", ("retry-after", RETRY_AFTER_SECONDS))
        self.in_progress += 1
        try:
            rows = predictor.reader.read(await read_body(scope, protocol, self.settings.serve_max_body_bytes))
            if len(rows) > INLINE_ROWS:
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(self.pool, predictor.predict, rows)
            else:
                found = predictor.predict(rows)
        except TooLargeError:
            return error_reply(413, f"the body is over {self.settings.serve_max_body_bytes} bytes")
        except BadRequestError as error:
            return error_reply(400, str(error))
        except InvalidRowsError as error:
            return json_reply(422, {"error": "values break the schema", "problems": error.problems})
        finally:
            self.in_progress -= 1
        return json_reply(200, {"model_version": predictor.version, "predictions": self.record(predictor, rows, found)})

    def record(self, predictor: Predictor, rows: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give each answer its id, count it, and put it on the log."""
        answers = [{"id": self.log.new_id(), **answer} for answer in found]
        self.telemetry.rows.labels(predictor.version).inc(len(answers))
        if predictor.schema.classes:
            for answer in found:
                self.telemetry.classes.labels(str(answer["prediction"])).inc()
        sample = self.settings.serve_log_sample
        if sample and (sample == 1 or random.random() < sample):
            record = {"time": time.time(), "model_version": predictor.version, "rows": rows, "predictions": answers}
            if not self.log.put(record):
                self.telemetry.log_dropped.inc()
        return answers

    async def live(self, scope: Any, protocol: Any) -> Reply:
        """The process answers."""
        return json_reply(200, {"status": "live"})

    async def ready(self, scope: Any, protocol: Any) -> Reply:
        """A model is loaded."""
        if self.predictor is None:
            return error_reply(503, self.problem)
        return json_reply(200, {"status": "ready", "model_version": self.predictor.version})

    async def metrics(self, scope: Any, protocol: Any) -> Reply:
        """What Prometheus scrapes."""
        self.telemetry.in_progress.set(self.in_progress)
        return 200, [("content-type", "text/plain; version=0.0.4; charset=utf-8")], self.telemetry.exposition()

    async def info(self, scope: Any, protocol: Any) -> Reply:
        """Version and lineage of the loaded model."""
        if self.predictor is None:
            return error_reply(503, self.problem)
        return json_reply(200, {**self.predictor.info, **self.predictor.manifest})

    async def openapi(self, scope: Any, protocol: Any) -> Reply:
        """The description of the service for the loaded model."""
        if self.predictor is None:
            return error_reply(503, self.problem)
        schema = self.predictor.schema
        described = openapi(schema, self.settings.model_name, self.predictor.version)
        return json_reply(200, {**described, "x-example": example_row(schema)})

    async def page(self, scope: Any, protocol: Any) -> Reply:
        """A page that shows the description and lets a person try it."""
        return 200, [("content-type", "text/html; charset=utf-8")], PAGE.read_bytes()


def create() -> Service:
    """What Granian calls in its worker process."""
    return Service(load_settings())
