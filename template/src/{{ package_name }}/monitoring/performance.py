"""How right the service was, once labels are there."""

from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np

from ..cli import UserError, reason
from ..model import metrics
from ..schema import Schema
from .labels import FOLDER, has_labels, labels_sql
from .traffic import connect, literal, predictions_sql

MOST_ROWS = 1_000_000


class Performance(msgspec.Struct):
    """Metrics and business figures of the labelled predictions, and how long labels took, in days."""

    rows: int
    metrics: dict[str, float]
    kpi: dict[str, float]
    median_delay_days: float


def labelled(files: list[Path], schema: Schema, version: str, folder: Path = FOLDER, since: float = 0.0) -> Any:
    """The newest labelled predictions of a version, as an Arrow table of a million rows at most; None without any."""
    if not has_labels(folder):
        # Spares a second pass over the whole log.
        return None
    query = (
        f"SELECT p.prediction, p.probabilities, l.label, (l.time - p.time) / 86400 AS delay "
        f"FROM ({predictions_sql(files, schema)}) p JOIN ({labels_sql(folder)}) l USING (id) "
        f"WHERE p.model_version = {literal(version)} AND p.time >= {since} ORDER BY p.time DESC LIMIT {MOST_ROWS}"
    )
    try:
        with connect() as database:
            found = database.sql(query).to_arrow_table()
    except duckdb.Error as error:
        raise UserError(f"labels and predictions cannot be joined: {reason(error)}") from None
    return found if found.num_rows else None


def measure(files: list[Path], schema: Schema, version: str, folder: Path = FOLDER) -> Performance | None:
    """Measure the labelled predictions of a version."""
    found = labelled(files, schema, version, folder)
    if found is None:
        return None
    target, predicted = arrays(found, schema)
    labels = [found["label"].to_pylist(), found["prediction"].to_pylist()]
    if not schema.classes:
        labels[0] = target.tolist()
    delay = float(np.median(found["delay"].to_numpy()))
    # Yours, and absent from a model/ that is older than it.
    kpi = getattr(metrics, "business_kpi", None)
    return Performance(found.num_rows, metrics.compute_metrics(target, predicted), kpi(*labels) if kpi else {}, delay)


def arrays(found: Any, schema: Schema) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Targets and predictions as model/metrics.py takes them."""
    if not schema.classes:
        return found["label"].to_numpy().astype(np.float64), found["prediction"].to_numpy().astype(np.float64)
    names = [str(label) for label in schema.classes]
    codes = {name: code for code, name in enumerate(names)}
    target = np.array([codes[label] for label in found["label"].to_pylist()])
    rows = [dict(pairs) for pairs in found["probabilities"].to_pylist()]
    return target, np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
