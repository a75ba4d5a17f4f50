"""Stage train: fit the features and the estimator. A pure function of the data, params.yaml and the code."""

import time
from typing import Any

import joblib
import pandas as pd
from sklearn.pipeline import Pipeline

from .. import task
from ..cli import UserError, run
from ..encoding import encoded_features
from ..model.estimator import build_estimator
from ..model.features import build_features
from ..schema import Schema
from . import paths
from .frame import encode_frame
from .params import load_data_schema, load_params
from .reports import read_parquet, write_json


def build_pipeline(schema: Schema, arguments: dict[str, Any], seed: int) -> Pipeline:
    """The unfitted model over encoded features.

    Raises UserError for an argument that the estimator does not have; some libraries would train without it in silence.
    """
    known = sorted(build_estimator({}, seed).get_params())
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise UserError(f"params.yaml, train.estimator: no argument {unknown[0]!r}; there are {', '.join(known)}")
    estimator = build_estimator(arguments, seed)
    return Pipeline([("features", build_features(encoded_features(schema))), ("estimator", estimator)])


def fit(frame: pd.DataFrame, schema: Schema, arguments: dict[str, Any], seed: int) -> Pipeline:
    """Fit on a typed table; raises UserError when the target leaves nothing to learn."""
    target = task.encode_target(frame[schema.target], schema)
    task.check_train(target, schema)
    pipeline = build_pipeline(schema, arguments, seed)
    try:
        return pipeline.fit(encode_frame(frame, schema), target)
    except ValueError as error:
        if "parameter" not in str(error):
            raise
        raise UserError(f"params.yaml, train.estimator: {error}") from None


def main() -> None:
    """From data/train.parquet to models/model.pkl."""
    params = load_params()
    schema = load_data_schema(params)
    frame = read_parquet(paths.TRAIN)
    started, worked = time.time(), time.process_time()
    pipeline = fit(frame, schema, params.train.estimator, params.train.seed)
    seconds, cpu_seconds = time.time() - started, time.process_time() - worked
    paths.MODEL.parent.mkdir(exist_ok=True)
    joblib.dump(pipeline, paths.MODEL)
    took = {"seconds": round(seconds, 3), "cpu_seconds": round(cpu_seconds, 3)}
    write_json(paths.TRAINING, {"rows": len(frame), "started": int(started * 1000), **took})
    print(f"{type(pipeline[-1]).__name__} fitted on {len(frame)} rows in {seconds:.1f} s.")


if __name__ == "__main__":
    run(main)
