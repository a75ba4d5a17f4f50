"""Predictions as JSON lines, written by a thread of their own: a request only puts a record on a queue."""

import itertools
import os
import queue
import threading
from pathlib import Path
from typing import Any

import msgspec

QUEUE_SIZE = 10_000


class PredictionLog:
    """Writes records to a file, and starts a new one when it is full; the oldest is removed."""

    def __init__(self, path: Path, max_bytes: int, files: int) -> None:
        self.path, self.max_bytes, self.files = path, max_bytes, files
        self.queue: queue.Queue[dict[str, Any] | None] = queue.Queue(QUEUE_SIZE)
        self.prefix, self.numbers = os.urandom(6).hex(), itertools.count(1)
        self.thread = threading.Thread(target=self.write_all, name="prediction-log", daemon=True)
        path.parent.mkdir(parents=True, exist_ok=True)
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
        file = self.path.open("ab")
        while (record := self.queue.get()) is not None:
            file.write(msgspec.json.encode(record) + b"\n")
            if self.queue.empty():
                file.flush()
            if file.tell() >= self.max_bytes:
                file.close()
                self.rotate()
                file = self.path.open("ab")
        file.close()

    def rotate(self) -> None:
        """predictions.jsonl becomes .1, .1 becomes .2, and so on."""
        for number in range(self.files - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        if self.files == 1:
            self.path.unlink()
