"""The HTTP service, on Granian's RSGI interface.

A new champion is loaded beside the old one and takes over between two requests.
"""

import asyncio
import os
import random
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from ..settings import Settings, load_settings
from .models import Models, Rows
from .openapi import example_row, openapi
from .prediction_log import PredictionLog
from .predictor import Predictor
from .requests import BadRequestError, InvalidRowsError
from .telemetry import Telemetry

RETRY_AFTER_SECONDS = "1"
MOST_EXPLAINED = 10  # rows; each costs some hundred predictions
KEY_HEADER = "x-targeting-key"  # requests of one key meet one version
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
    """State of one process: the models that answer, the log, the metrics."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.telemetry = Telemetry()
        self.models = Models(settings, self.telemetry)
        self.log = PredictionLog(
            Path(settings.serve_log_path),
            settings.serve_log_max_bytes,
            settings.serve_log_files,
            settings.serve_log_days,
        )
        self.in_progress = 0
        self.watcher: asyncio.Task[None] | None = None
        self.routes: dict[str, tuple[str, Handler]] = {
            "/predict": ("POST", self.predict),
            "/explain": ("POST", self.explain),
            "/health/live": ("GET", self.live),
            "/health/ready": ("GET", self.ready),
            "/metrics": ("GET", self.metrics),
            "/info": ("GET", self.info),
            "/openapi.json": ("GET", self.openapi),
            "/": ("GET", self.page),
        }

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.watcher = loop.create_task(self.watch())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.watcher is not None:
            self.watcher.cancel()
        self.models.close()
        self.log.close()

    async def watch(self) -> None:
        """Look for another champion, and for a challenger, for as long as there is a server that this worker is of."""
        server = os.getppid()
        while os.getppid() == server:
            await self.models.refresh()
            await asyncio.sleep(self.settings.serve_reload_seconds)
        # A server that was killed stops no worker, and the port would stay taken.
        os.kill(os.getpid(), signal.SIGTERM)

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

        async def work(champion: Predictor, rows: Rows) -> Reply:
            predictor, found = await self.models.answer(champion, rows, scope.headers.get(KEY_HEADER))
            predictions = self.record(predictor, rows, found)
            return json_reply(200, {"model_version": predictor.version, "predictions": predictions})

        return await self.checked(scope, protocol, work)

    async def explain(self, scope: Any, protocol: Any) -> Reply:
        """Check, and tell why the champion predicts what it does; nothing is logged."""

        async def work(champion: Predictor, rows: Rows) -> Reply:
            if len(rows) > MOST_EXPLAINED:
                return error_reply(413, f"at most {MOST_EXPLAINED} rows are explained at once")
            found = await self.models.explain(champion, rows)
            return json_reply(200, {"model_version": champion.version, "explanations": found})

        return await self.checked(scope, protocol, work)

    async def checked(self, scope: Any, protocol: Any, work: Callable[[Predictor, Rows], Awaitable[Reply]]) -> Reply:
        """What `work` makes of the rows of a request, or why there are none."""
        champion = self.models.champion
        if champion is None:
            return error_reply(503, self.models.problem, ("retry-after", RETRY_AFTER_SECONDS))
        if self.in_progress >= self.settings.serve_max_queue:
            return error_reply(503, "too many requests wait", ("retry-after", RETRY_AFTER_SECONDS))
        self.in_progress += 1
        try:
            rows = champion.reader.read(await read_body(scope, protocol, self.settings.serve_max_body_bytes))
            return await work(champion, rows)
        except TooLargeError:
            return error_reply(413, f"the body is over {self.settings.serve_max_body_bytes} bytes")
        except BadRequestError as error:
            return error_reply(400, str(error))
        except InvalidRowsError as error:
            return json_reply(422, {"error": "values break the schema", "problems": error.problems})
        finally:
            self.in_progress -= 1

    def record(self, predictor: Predictor, rows: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give each answer its id, count it, and put it on the log."""
        answers = [{"id": self.log.new_id(), **answer} for answer in found]
        self.telemetry.predicted(predictor, answers)
        sample = self.settings.serve_log_sample
        if sample and (sample == 1 or random.random() < sample):
            self.write(predictor, rows, answers)

            def log(challenger: Predictor, shadowed: list[dict[str, Any]]) -> None:
                same_ids = [{"id": answer["id"], **other} for answer, other in zip(answers, shadowed, strict=True)]
                self.write(challenger, rows, same_ids)

            self.models.shadow(rows, log)
        return answers

    def write(self, predictor: Predictor, rows: Any, answers: list[dict[str, Any]]) -> None:
        """Put answers on the log, or count that they are lost."""
        record = {"time": time.time(), "model_version": predictor.version, "rows": rows, "predictions": answers}
        if not self.log.put(record):
            self.telemetry.log_dropped.inc()

    async def live(self, scope: Any, protocol: Any) -> Reply:
        """The process answers."""
        return json_reply(200, {"status": "live"})

    async def ready(self, scope: Any, protocol: Any) -> Reply:
        """A model is loaded, and not too old."""
        trouble = self.models.trouble()
        if self.models.champion is None or trouble:
            return error_reply(503, trouble)
        return json_reply(200, {"status": "ready", "model_version": self.models.champion.version})

    async def metrics(self, scope: Any, protocol: Any) -> Reply:
        """What Prometheus scrapes."""
        self.telemetry.in_progress.set(self.in_progress)
        text = await asyncio.get_running_loop().run_in_executor(self.models.pool, self.telemetry.exposition)
        return 200, [("content-type", "text/plain; version=0.0.4; charset=utf-8")], text

    async def info(self, scope: Any, protocol: Any) -> Reply:
        """Version and lineage of the loaded model."""
        champion = self.models.champion
        if champion is None:
            return error_reply(503, self.models.problem)
        return json_reply(200, {**champion.info, **champion.manifest})

    async def openapi(self, scope: Any, protocol: Any) -> Reply:
        """The description of the service for the loaded model."""
        champion = self.models.champion
        if champion is None:
            return error_reply(503, self.models.problem)
        schema = champion.schema
        described = openapi(schema, self.settings.model_name, champion.version)
        return json_reply(200, {**described, "x-example": example_row(schema)})

    async def page(self, scope: Any, protocol: Any) -> Reply:
        """A page that shows the description and lets a person try it."""
        return 200, [("content-type", "text/html; charset=utf-8")], PAGE.read_bytes()


def create() -> Service:
    """What Granian calls in its worker process."""
    return Service(load_settings())
