"""Stage split: rows to learn from, and rows held out for evaluation and for the gate."""

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from .. import task
from ..cli import UserError, run
from . import paths
from .params import load_data_schema, load_params
from .reports import read_json, read_parquet, write_parquet

MIN_ROWS = 10


def draw(target: Any, share: float, seed: int) -> tuple[Any, bool]:
    """Which rows are held out, as positions, and whether the draw was stratified."""
    may_go = np.flatnonzero(~task.always_learned(target))
    strata = task.strata(target[may_go])
    if strata is not None and len(np.unique(strata)) > min(share, 1 - share) * len(may_go):
        strata = None
    _, held = train_test_split(may_go, test_size=share, random_state=seed, stratify=strata)
    return np.sort(held), strata is not None


def draw_later(places: Any, share: float, seed: int) -> Any:
    """Which of the rows that came later are held out; `places` count them from 0.

    A row keeps its part when more rows come, or a champion would be measured on what it has learned from.
    """
    if not len(places):
        return np.zeros(0, dtype=bool)
    return np.random.default_rng(seed).random(places.max() + 1)[places] < share


def main() -> None:
    """From data/valid.parquet to data/train.parquet and data/test.parquet; stratified where the task has strata."""
    params = load_params()
    schema = load_data_schema(params)
    frame = read_parquet(paths.VALID)
    from_source = (frame.index <= read_json(paths.INGESTION)["rows"]).sum()
    if from_source < MIN_ROWS:
        raise UserError(f"{paths.VALID}: {from_source} rows are too few to split; at least {MIN_ROWS} are needed")
    target = task.encode_target(frame[schema.target], schema)
    later = frame.index[from_source:].to_numpy() - read_json(paths.INGESTION)["rows"] - 1
    try:
        held, stratified = draw(target[:from_source], params.split.test_share, params.split.seed)
    except ValueError as error:
        raise UserError(f"params.yaml, split.test_share {params.split.test_share}: {error}") from None
    held_later = np.flatnonzero(draw_later(later, params.split.test_share, params.split.seed)) + from_source
    held = np.concatenate([held, held_later])
    write_parquet(paths.TRAIN, frame.drop(index=frame.index[held]))
    write_parquet(paths.TEST, frame.iloc[held])
    print(f"{len(frame) - len(held)} rows to learn from, {len(held)} held out{', stratified' if stratified else ''}.")


if __name__ == "__main__":
    run(main)
