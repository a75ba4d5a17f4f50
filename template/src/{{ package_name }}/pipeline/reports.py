"""Small files that stages leave for people, for DVC and for each other."""

from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
from pyarrow.fs import LocalFileSystem


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON with sorted keys, so that equal content gives an equal file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2) + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return msgspec.json.decode(path.read_bytes())


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table with its row numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a table.

    Arrow opens the file by itself. Of a file that Python has opened, Arrow's threads may hold a part when Python ends,
    and then the process aborts, after its work is done.
    """
    return pd.read_parquet(path, filesystem=LocalFileSystem())
