"""Stage evaluate: metrics, slices and plots on the held-out rows."""

import joblib
import pandas as pd

from .. import task
from ..cli import UserError, run
from . import paths
from .evaluation import baseline_for, finite, score, score_slices
from .frame import encode_frame
from .params import load_data_schema, load_params
from .reports import write_json


def main() -> None:
    """From models/model.pkl and data/test.parquet to reports/."""
    params = load_params()
    schema = load_data_schema(params)
    unknown = [name for name in params.gate.slices or [] if name not in schema.features]
    if unknown:
        raise UserError(f"params.yaml, gate.slices: {unknown[0]!r} is no feature of data/schema.yaml")
    test = pd.read_parquet(paths.TEST)
    target = task.encode_target(test[schema.target], schema)
    predicted = task.predict(joblib.load(paths.MODEL), encode_frame(test, schema))
    baseline = baseline_for(pd.read_parquet(paths.TRAIN), len(test), schema)
    metrics = finite(score(target, predicted, baseline))
    write_json(paths.METRICS, metrics)
    write_json(paths.SLICES, score_slices(test, schema, params.gate, target, predicted, baseline))
    for name, points in task.plots(target, predicted, schema).items():
        write_json(paths.PLOTS / f"{name}.json", points)
    print(f"On {len(test)} rows: " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()) + ".")


if __name__ == "__main__":
    run(main)
