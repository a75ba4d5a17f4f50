"""Stage split: rows to learn from, and rows held out for evaluation and for the gate."""

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from .. import task
from ..cli import UserError, run
from . import paths
from .params import load_data_schema, load_params
from .reports import write_parquet

MIN_ROWS = 10


def main() -> None:
    """From data/valid.parquet to data/train.parquet and data/test.parquet; stratified where the task has strata."""
    params = load_params()
    schema = load_data_schema(params)
    frame = pd.read_parquet(paths.VALID)
    if len(frame) < MIN_ROWS:
        raise UserError(f"{paths.VALID}: {len(frame)} rows are too few to split; at least {MIN_ROWS} are needed")
    target = task.encode_target(frame[schema.target], schema)
    strata = task.strata(target)
    try:
        train, test = train_test_split(
            np.arange(len(frame)), test_size=params.split.test_share, random_state=params.split.seed, stratify=strata
        )
    except ValueError as error:
        raise UserError(f"params.yaml, split.test_share {params.split.test_share}: {error}") from None
    write_parquet(paths.TRAIN, frame.iloc[np.sort(train)])
    write_parquet(paths.TEST, frame.iloc[np.sort(test)])
    print(f"{len(train)} rows to learn from, {len(test)} held out{'' if strata is None else ', stratified'}.")


if __name__ == "__main__":
    run(main)
