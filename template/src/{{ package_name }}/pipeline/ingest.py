"""Stage ingest: the table as it came, and the predictions with a label behind it, every value as text."""

from pathlib import Path

import pandas as pd

from ..cli import UserError, run
from ..governance.personal import check_personal, scan
from . import paths
from .params import load_params
from .reports import write_json, write_parquet
from .table import read_table

ID_COLUMN = "id of the prediction"
NO_ROWS = f"{ID_COLUMN}\n"  # DVC warns of files that are empty


def read_labelled(path: Path = paths.LABELLED) -> pd.DataFrame:
    """The predictions that `make labels LEARN=1` took, with their ids; no rows where there is no such file.

    Raises UserError when the file is of another form.
    """
    if not path.exists() or path.read_text(encoding="utf-8").strip() in ("", ID_COLUMN):
        return pd.DataFrame(columns=[ID_COLUMN])
    frame = read_table(path)
    if ID_COLUMN not in frame.columns:
        raise UserError(f"{path}: no column {ID_COLUMN!r}; remove the file, and `make labels LEARN=1` makes it again")
    return frame


def behind(frame: pd.DataFrame, labelled: pd.DataFrame) -> pd.DataFrame:
    """A table with labelled rows behind it, in its columns; what they do not have is missing."""
    if labelled.empty:
        return frame
    joined = pd.concat([frame, labelled.reindex(columns=frame.columns)])
    joined.index = pd.RangeIndex(1, len(joined) + 1)
    return joined.astype(object).where(joined.notna(), None)


def main() -> None:
    """From the source that params.yaml names, and data/labelled.csv, to data/ingested.parquet."""
    data = load_params().data
    source = Path(data.source)
    frame, labelled = read_table(source), read_labelled()
    personal = scan(frame, data.personal)
    check_personal(personal, list(frame.columns), data.personal, data.source)
    write_parquet(paths.INGESTED, behind(frame, labelled))
    counted = {"rows": len(frame), "columns": len(frame.columns), "labelled": len(labelled)}
    write_json(paths.INGESTION, {"source": str(source), **counted, "personal": personal})
    more = f", and {len(labelled)} labelled predictions" if len(labelled) else ""
    print(f"{source}: {len(frame)} rows, {len(frame.columns)} columns{more}.")


if __name__ == "__main__":
    run(main)
