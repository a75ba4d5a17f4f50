"""The versions in memory: the champion, the challenger of a rollout, and the champion before, as a spare.

A client never waits for a challenger longer than SERVE_CHALLENGER_TIMEOUT_SECONDS, and never sees it fail: the champion
answers instead. When the champion itself fails on a request, the spare answers.
"""

import asyncio
import gc
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from openfeature.client import OpenFeatureClient

from ..cli import UserError
from ..encoding import SECONDS_PER_DAY
from ..schema import same_problem
from ..settings import Settings
from .flags import chosen_version, flag_client, is_shadowing, read_variants
from .predictor import Predictor, current_version, load_version
from .telemetry import Telemetry

INLINE_ROWS = 64
MOST_WAITING = 8  # requests that a challenger may be behind
Rows = Sequence[msgspec.Struct]
Answers = list[dict[str, Any]]


class Models:
    """Loads versions, shares requests out among them, and keeps clients from their failures."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.settings, self.telemetry = settings, telemetry
        self.root = Path(settings.serve_model_dir)
        self.champion: Predictor | None = None
        self.challenger: Predictor | None = None
        self.spare: Predictor | None = None
        self.flags: OpenFeatureClient | None = None
        self.problem = ""
        self.waiting = 0
        self.shadows: set[asyncio.Task[None]] = set()
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="champion")
        self.explain_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explanation")
        self.challenger_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="challenger")
        try:
            self.use(load_version(self.root, current_version(self.root)))
        except UserError as error:
            self.problem = str(error)

    def use(self, predictor: Predictor) -> None:
        """Answer with this version from now on; requests that have begun keep theirs."""
        if self.champion is not None and same_problem(self.champion.schema, predictor.schema):
            self.spare = self.champion
        else:
            self.spare = None
        if self.challenger is not None and self.challenger.version == predictor.version:
            self.challenger = None
        self.champion, self.problem = predictor, ""
        self.telemetry.use_model(predictor)
        # What is loaded stays, and the collector need not look at it; what was replaced must not stay with it.
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    async def refresh(self) -> None:
        """One look at what is deployed; a version that does not load leaves the ones before in place."""
        loop = asyncio.get_running_loop()
        try:
            version = current_version(self.root)
            if self.champion is None or version != self.champion.version:
                loaded = [each for each in (self.challenger, self.spare) if each and each.version == version]
                self.use(
                    loaded[0] if loaded else await loop.run_in_executor(self.pool, load_version, self.root, version)
                )
                print(f"version {version} answers from now on", flush=True)
            await self.refresh_challenger()
        except UserError as error:
            if str(error) != self.problem:
                self.problem = str(error)
                self.telemetry.reload_failures.inc()
                answering = f"version {self.champion.version}" if self.champion else "no model"
                print(f"error: {error}; {answering} answers", flush=True)
        else:
            self.problem = ""

    async def refresh_challenger(self) -> None:
        """Load the challenger that the flag file names, or let go of the one before."""
        version = read_variants(self.root).get("challenger")
        if self.champion is None or version is None or version == self.champion.version:
            self.challenger = None
        elif self.challenger is None or self.challenger.version != version:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self.challenger_pool, load_version, self.root, version)
            if not same_problem(found.schema, self.champion.schema):
                raise UserError(f"version {version} takes other columns than version {self.champion.version}")
            if self.flags is None:
                self.flags = await loop.run_in_executor(
                    self.challenger_pool, flag_client, self.root, self.settings.serve_reload_seconds
                )
            self.challenger = found
            print(f"version {version} is served as challenger", flush=True)

    async def answer(self, champion: Predictor, rows: Rows, key: str | None) -> tuple[Predictor, Answers]:
        """Answers, and the version that gave them."""
        challenger, flags = self.challenger, self.flags
        chosen = champion.version
        if challenger is not None and flags is not None:
            chosen = chosen_version(flags, key or str(random.random()), champion.version)
        if challenger is not None and chosen == challenger.version:
            found = await self.ask_challenger(challenger, rows)
            if found is not None:
                return challenger, found
        return await self.ask_champion(champion, rows)

    async def explain(self, champion: Predictor, rows: Rows) -> Answers:
        """The champion's answers with their reasons, on a thread of their own: predictions do not wait for them."""
        return await asyncio.get_running_loop().run_in_executor(self.explain_pool, champion.explain, rows)

    async def ask_champion(self, champion: Predictor, rows: Rows) -> tuple[Predictor, Answers]:
        """The champion's answers, or another version's when it fails; raises what it raised when there is none."""
        try:
            return champion, await self.timed(champion, rows)
        except Exception as error:
            self.telemetry.outcome(champion.version, "error")
            # A request that began before a rollback failed with the version that is out, and the champion is another.
            others = [each for each in (self.champion, self.spare) if each is not None and each is not champion]
            spare = next((each for each in others if same_problem(each.schema, champion.schema)), None)
            if spare is None:
                raise
            if self.problem != (problem := f"version {champion.version} fails: {error}"):
                self.problem = problem
                print(f"error: {problem}; version {spare.version} answers instead", flush=True)
            return spare, await self.timed(spare, rows)

    async def timed(self, predictor: Predictor, rows: Rows) -> Answers:
        """Small requests are answered on the event loop: a prediction takes less time than handing it to a thread."""
        started = time.perf_counter()
        if len(rows) > INLINE_ROWS:
            found = await asyncio.get_running_loop().run_in_executor(self.pool, predictor.predict, rows)
        else:
            found = predictor.predict(rows)
        self.telemetry.answered(predictor.version, time.perf_counter() - started)
        return found

    async def ask_challenger(self, challenger: Predictor, rows: Rows) -> Answers | None:
        """The challenger's answers; None, and counted, when it fails, is too slow or is too far behind."""
        if self.waiting >= MOST_WAITING:
            self.telemetry.outcome(challenger.version, "busy")
            return None
        self.waiting += 1
        started = time.perf_counter()
        work = asyncio.get_running_loop().run_in_executor(self.challenger_pool, challenger.predict, rows)
        work.add_done_callback(self.settle)
        try:
            timeout = self.settings.serve_challenger_timeout_seconds
            found = await asyncio.wait_for(asyncio.shield(work), timeout)
        except TimeoutError:
            self.telemetry.outcome(challenger.version, "timeout", time.perf_counter() - started)
            return None
        except Exception:
            self.telemetry.outcome(challenger.version, "error")
            return None
        self.telemetry.answered(challenger.version, time.perf_counter() - started)
        return found

    def settle(self, work: asyncio.Future[Any]) -> None:
        """A challenger's work is over, whether or not somebody still waits for it."""
        self.waiting -= 1
        if not work.cancelled():
            work.exception()

    def shadow(self, rows: Rows, log: Callable[[Predictor, Answers], None]) -> None:
        """Let a challenger that shadows answer too, for the log alone."""
        challenger = self.challenger
        if challenger is not None and self.flags is not None and is_shadowing(self.flags):
            task = asyncio.create_task(self.answer_in_shadow(challenger, rows, log))
            self.shadows.add(task)
            task.add_done_callback(self.shadows.discard)

    async def answer_in_shadow(
        self, challenger: Predictor, rows: Rows, log: Callable[[Predictor, Answers], None]
    ) -> None:
        """What the challenger would have said."""
        found = await self.ask_challenger(challenger, rows)
        if found is not None:
            log(challenger, found)

    def age_days(self) -> float:
        """How old the champion is; 0 when it does not say."""
        created = self.champion.info.get("created") if self.champion else None
        return (time.time() - created) / SECONDS_PER_DAY if created else 0.0

    def trouble(self) -> str:
        """Why this service must not be asked; empty when it may."""
        if self.champion is None:
            return self.problem
        oldest = self.settings.serve_max_model_age_days
        if oldest and self.age_days() > oldest:
            return f"version {self.champion.version} is {self.age_days():.0f} days old, {oldest:g} are allowed"
        return ""

    def close(self) -> None:
        """Stop the threads; what they do is not waited for."""
        for pool in (self.pool, self.explain_pool, self.challenger_pool):
            pool.shutdown(wait=False, cancel_futures=True)
