"""Predictions as JSON lines, written by a thread of their own: a request only puts a record on a queue.

A file is full after so many bytes or a day; the oldest files are removed, by number and by age. Whoever rewrites the
log (`make forget`) holds its lock meanwhile; the thread waits for it and goes on in the new file.
"""

import fcntl
import itertools
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from ..encoding import SECONDS_PER_DAY

QUEUE_SIZE = 10_000
MOST_AT_ONCE = 500


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a prediction log."""
    with path.with_name(f".{path.name}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def begun(path: Path) -> float:
    """When a file was begun: the time of its first record, or now, in seconds since 1970."""
    try:
        with path.open("rb") as file:
            return float(msgspec.json.decode(file.readline())["time"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return time.time()


class PredictionLog:
    """Writes records to a file, and starts a new one when it is full; the oldest are removed."""

    def __init__(self, path: Path, max_bytes: int, files: int, days: float = 0.0) -> None:
        self.path, self.max_bytes, self.files, self.days = path, max_bytes, files, days
        self.queue: queue.Queue[dict[str, Any] | None] = queue.Queue(QUEUE_SIZE)
        self.prefix, self.numbers = os.urandom(6).hex(), itertools.count(1)
        self.inode, self.began = 0, 0.0
        self.thread = threading.Thread(target=self.write_all, name="prediction-log", daemon=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.expire()
        self.thread.start()

    def new_id(self) -> str:
        """An id that no other prediction has, here or in another process."""
        return f"{self.prefix}-{next(self.numbers):x}"

    def put(self, record: dict[str, Any]) -> bool:
        """Queue a record; False when the queue is full and the record is lost."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Write what is queued and stop."""
        self.queue.put(None)
        self.thread.join(timeout=5)

    def write_all(self) -> None:
        """The thread: until close() is called."""
        going_on = True
        while going_on:
            records = [self.queue.get()]
            while len(records) < MOST_AT_ONCE and not self.queue.empty():
                records.append(self.queue.get())
            going_on = None not in records
            with locked(self.path):
                self.write([record for record in records if record is not None])

    def write(self, records: list[dict[str, Any]]) -> None:
        """Add records to the file, or to the next one when it is full."""
        file = self.open()
        for record in records:
            file.write(msgspec.json.encode(record) + b"\n")
            if file.tell() >= self.max_bytes:
                file.close()
                self.rotate()
                file = self.open()
        file.close()

    def open(self) -> IO[bytes]:
        """The file, for appending; one that was begun a day ago makes room for a new one."""
        if self.days and self.path.exists():
            if (inode := self.path.stat().st_ino) != self.inode:
                self.inode, self.began = inode, begun(self.path)
            if time.time() - self.began > SECONDS_PER_DAY:
                self.rotate()
        return self.path.open("ab")

    def rotate(self) -> None:
        """predictions.jsonl becomes .1, .1 becomes .2, and so on."""
        for number in range(self.files - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        if self.files == 1:
            self.path.unlink()
        self.expire()

    def expire(self) -> None:
        """Remove the files whose last record is too old."""
        oldest = time.time() - self.days * SECONDS_PER_DAY
        for path in self.path.parent.glob(f"{self.path.name}*") if self.days else ():
            if path.stat().st_mtime < oldest:
                path.unlink()
