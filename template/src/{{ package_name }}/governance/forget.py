"""`make forget KEY=`: delete what was logged of a person or a thing, and record that it was done.

KEY is column=value, for a column of the requests, or id=... for one prediction. Rows to learn from that were made of
such predictions go too. The audit log keeps the name of the column and the counts; the value is what somebody wants
forgotten.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..cli import UserError, run
from ..monitoring.labels import FOLDER
from ..monitoring.traffic import log_files
from ..pipeline import paths
from ..pipeline.data import dvc
from ..pipeline.ingest import ID_COLUMN, NO_ROWS, read_labelled
from ..serving.prediction_log import locked
from ..settings import load_settings
from . import audit

ID = "id"


class Forgotten(msgspec.Struct):
    """What was deleted."""

    predictions: int = 0
    labels: int = 0
    rows: int = 0


def split_key(key: str) -> tuple[str, str]:
    """Column and value; raises UserError for another form."""
    column, separator, value = key.partition("=")
    if not (column and separator and value):
        raise UserError("name whom: make forget KEY=column=value, or KEY=id=... for one prediction")
    return column, value


def is_meant(column: str, value: str, row: dict[str, Any], answer: dict[str, Any]) -> bool:
    """Whether a row, or its answer, is the one that the key names; numbers are compared as they are written."""
    found = answer.get(ID) if column == ID and ID not in row else row.get(column)
    return found is not None and (str(found) == value or same_number(found, value))


def same_number(found: Any, value: str) -> bool:
    """Whether a value is a number that the text spells in another way."""
    try:
        return isinstance(found, int | float) and not isinstance(found, bool) and float(value) == found
    except ValueError:
        return False


def without(line: bytes, column: str, value: str) -> tuple[bytes, list[str]]:
    """A line of the log without the rows that are meant, and the ids of those; a line that is no record stays."""
    try:
        record = msgspec.json.decode(line)
        pairs = list(zip(record["rows"], record["predictions"], strict=True))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return line, []
    meant = [is_meant(column, value, *pair) for pair in pairs]
    if not any(meant):
        return line, []
    gone = [str(answer[ID]) for (_, answer), out in zip(pairs, meant, strict=True) if out]
    kept = [pair for pair, out in zip(pairs, meant, strict=True) if not out]
    if not kept:
        return b"", gone
    rows, predictions = zip(*kept, strict=True)
    return msgspec.json.encode({**record, "rows": rows, "predictions": predictions}) + b"\n", gone


def forget_predictions(path: Path, column: str, value: str) -> list[str]:
    """Rewrite a file of the log, whole or not at all; returns the ids of what was deleted."""
    gone: list[str] = []
    part = path.with_name(f".{path.name}.part")
    with path.open("rb") as source, part.open("wb") as target:
        for line in source:
            kept, ids = without(line, column, value)
            target.write(kept)
            gone += ids
    if gone:
        os.utime(part, (path.stat().st_atime, path.stat().st_mtime))  # its age decides how long it is kept
        part.replace(path)
    else:
        part.unlink()
    return gone


def forget_labels(folder: Path, ids: set[str]) -> int:
    """Delete the labels of predictions; returns how many there were."""
    gone = 0
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path)
        kept = table.filter(pc.invert(pc.is_in(table[ID], value_set=pc.cast(sorted(ids), "string"))))
        if kept.num_rows < table.num_rows:
            part = path.with_suffix(".part")
            pq.write_table(kept, part)
            part.replace(path)
            gone += table.num_rows - kept.num_rows
    return gone


def forget_rows(column: str, value: str, ids: set[str]) -> int:
    """Delete rows from data/labelled.csv; returns how many there were."""
    table = read_labelled()
    meant = table[ID_COLUMN].isin({*ids, value} if column == ID else ids)
    if column in table.columns:
        meant |= table[column].map(lambda found: is_meant(column, value, {column: found}, {}))
    if meant.any():
        part = paths.LABELLED.with_suffix(".part")
        part.write_text(NO_ROWS if meant.all() else table[~meant].to_csv(index=False), encoding="utf-8")
        part.replace(paths.LABELLED)
        dvc("add", str(paths.LABELLED))
    return int(meant.sum())


def forget(column: str, value: str, log: Path, labels: Path = FOLDER) -> Forgotten:
    """Delete from the log, from the labels, and from the rows to learn from."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with locked(log):
        # Without a log there still may be rows to learn from.
        files = log_files(log, needed=not paths.LABELLED.exists())
        ids = {each for path in files for each in forget_predictions(path, column, value)}
    rows = forget_rows(column, value, ids)
    return Forgotten(len(ids), forget_labels(labels, ids) if ids else 0, rows)


def main() -> None:
    """Delete, record, and say how much."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True)
    column, value = split_key(parser.parse_args().key)
    found = forget(column, value, Path(load_settings().serve_log_path))
    audit.append("forget", {"column": column, **msgspec.to_builtins(found)})
    print(f"{found.predictions} predictions and {found.labels} labels of this {column} are deleted.")
    if found.rows:
        print(
            f"{found.rows} rows of {paths.LABELLED} too: `make pipeline` learns without them, `dvc gc` clears copies."
        )


if __name__ == "__main__":
    run(main)
