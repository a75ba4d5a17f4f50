"""Stage evaluate: metrics, slices, calibration, fairness, importance and plots on the held-out rows."""

import joblib

from .. import task
from ..cli import UserError, run
from ..schema import Schema
from . import paths
from .calibration import calibration_bins
from .evaluation import baseline_for, finite, score, score_slices
from .fairness import fairness_gaps
from .frame import encode_frame
from .importance import permutation_importance
from .params import load_data_schema, load_params
from .reports import read_parquet, write_json


def check_columns(key: str, names: list[str], schema: Schema) -> None:
    """Raise UserError when params.yaml names a column that is no feature."""
    unknown = [name for name in names if name not in schema.features]
    if unknown:
        raise UserError(f"params.yaml, {key}: {unknown[0]!r} is no feature of data/schema.yaml")


def main() -> None:
    """From models/model.pkl and data/test.parquet to reports/."""
    params = load_params()
    schema = load_data_schema(params)
    check_columns("gate.slices", params.gate.slices or [], schema)
    check_columns("gate.protected", params.gate.protected, schema)
    test = read_parquet(paths.TEST)
    target = task.encode_target(test[schema.target], schema)
    model, encoded = joblib.load(paths.MODEL), encode_frame(test, schema)
    predicted = task.predict(model, encoded)
    baseline = baseline_for(read_parquet(paths.TRAIN), len(test), schema)
    metrics = finite(score(target, predicted, baseline))
    write_json(paths.METRICS, metrics)
    write_json(paths.SLICES, score_slices(test, schema, params.gate, target, predicted, baseline))
    write_json(paths.CALIBRATION, {"bins": calibration_bins(target, predicted)})
    write_json(paths.FAIRNESS, {"gaps": fairness_gaps(test, schema, params.gate, target, predicted)})
    importance = permutation_importance(model, encoded, target, baseline, schema, params.split.seed)
    write_json(paths.IMPORTANCE, {"features": importance})
    for name, points in task.plots(target, predicted, schema).items():
        write_json(paths.PLOTS / f"{name}.json", points)
    print(f"On {len(test)} rows: " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()) + ".")
    print("What matters most: " + ", ".join(f"{each.column} {each.importance:.3g}" for each in importance[:3]) + ".")


if __name__ == "__main__":
    run(main)
