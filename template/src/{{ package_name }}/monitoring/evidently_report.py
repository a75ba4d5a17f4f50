"""`make evidently`: Evidently's drift report of what was served: reports/evidently.html and .json.

It runs in an environment of its own, .venv-evidently. `make monitor` reads the whole log and decides; this shows the
newest predictions to people, in the way that Evidently does.
"""

from pathlib import Path

import duckdb
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from ..cli import UserError, reason, run
from ..pipeline import paths
from ..pipeline.reports import read_parquet
from ..schema import Schema, from_json
from ..settings import load_settings
from .served import served_version
from .traffic import connect, literal, log_files, predictions_sql, quoted

MOST_ROWS = 100_000
PAGE, REPORT = paths.REPORTS / "evidently.html", paths.REPORTS / "evidently.json"


def served_rows(files: list[Path], schema: Schema, version: str) -> pd.DataFrame:
    """The features of the newest predictions of a version."""
    features = ", ".join(f"f{position} AS {quoted(name)}" for position, name in enumerate(schema.features))
    query = (
        f"SELECT {features} FROM ({predictions_sql(files, schema)}) WHERE model_version = {literal(version)} "
        f"ORDER BY time DESC LIMIT {MOST_ROWS}"
    )
    try:
        with connect() as database:
            return database.sql(query).to_arrow_table().to_pandas()
    except duckdb.Error as error:
        raise UserError(f"{files[-1]} cannot be read: {reason(error)}") from None


def definition(schema: Schema) -> DataDefinition:
    """Which columns hold numbers and which values; dates are left to `make monitor`."""
    numbers = [name for name, column in schema.features.items() if column.type in ("number", "integer")]
    values = [name for name, column in schema.features.items() if column.type in ("category", "boolean")]
    return DataDefinition(numerical_columns=numbers, categorical_columns=values)


def as_evidently(frame: pd.DataFrame, defined: DataDefinition) -> Dataset:
    """A table as Evidently takes it; values become text, as in the prediction log."""
    numbers, values = list(defined.numerical_columns or []), list(defined.categorical_columns or [])
    texts = frame[values].astype(object).where(frame[values].notna(), None)
    typed = pd.concat([frame[numbers].astype("float64"), texts.map(str, na_action="ignore")], axis=1)
    return Dataset.from_pandas(typed, data_definition=defined)


def main() -> None:
    """Compare the newest predictions with the rows that the model learned from."""
    settings = load_settings()
    served = served_version(settings)
    schema = from_json((served.folder / "schema.json").read_bytes())
    if not paths.TRAIN.exists():
        raise UserError(f"{paths.TRAIN} is missing; run `make pipeline` first")
    now = served_rows(log_files(Path(settings.serve_log_path)), schema, served.version)
    if now.empty:
        raise UserError(f"version {served.version} has answered nothing yet")
    defined = definition(schema)
    before = read_parquet(paths.TRAIN)
    result = Report([DataDriftPreset()]).run(as_evidently(now, defined), as_evidently(before, defined))
    paths.REPORTS.mkdir(exist_ok=True)
    result.save_html(str(PAGE))
    REPORT.write_text(result.json(), encoding="utf-8")
    print(
        f"{len(now)} predictions of version {served.version} against {len(before)} rows of training data: see {PAGE}."
    )


if __name__ == "__main__":
    run(main)
