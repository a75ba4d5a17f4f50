"""`make shap`: Shapley values of the model on held-out rows, by the library shap: reports/shap.json and .png.

It runs in an environment of its own, .venv-shap. Trees that shap knows are taken apart exactly (TreeExplainer); any
other model is asked again and again (PermutationExplainer), with rows to learn from as what is compared with.
"""

from typing import Any

import joblib
import matplotlib
import numpy as np
import numpy.typing as npt
import shap

from .. import task
from ..cli import UserError, run
from ..encoding import encoded_features
from ..pipeline import paths
from ..pipeline.frame import encode_frame
from ..pipeline.params import load_data_schema, load_params
from ..pipeline.reports import read_parquet, write_json
from ..schema import Schema

MOST_ROWS, BACKGROUND_ROWS, SHOWN = 500, 100, 20
PICTURE, REPORT = paths.REPORTS / "shap.png", paths.REPORTS / "shap.json"
Array = npt.NDArray[Any]


def explain(model: Any, rows: Array, background: Array, seed: int) -> tuple[str, Array]:
    """Shapley values of shape (rows, features, outputs), and how they were made."""
    features, estimator = model[:-1].transform(rows), model[-1]
    if features.shape[1] == rows.shape[1]:
        try:
            explainer = shap.TreeExplainer(estimator, model[:-1].transform(background))
            return "TreeExplainer", three_dimensions(explainer.shap_values(features, check_additivity=False))
        except Exception as error:  # shap says what it cannot take apart in many ways
            print(f"TreeExplainer does not fit ({str(error).splitlines()[0][:100]}); the model is asked instead.")
    asked = shap.PermutationExplainer(
        lambda given: task.predict(model, given.astype(np.float32)), background, seed=seed
    )
    return "PermutationExplainer", three_dimensions(asked(rows, silent=True).values)


def three_dimensions(values: Any) -> Array:
    """Values with an axis for the outputs of the model, also where there is one output."""
    found = np.asarray(values)
    return found[:, :, None] if found.ndim == 2 else found


def summary(values: Array, schema: Schema) -> list[dict[str, Any]]:
    """For each column, the mean size of its values; those of a date's parts are added up."""
    sizes = np.abs(values).mean(axis=(0, 2))
    totals: dict[str, float] = {}
    for feature, size in zip(encoded_features(schema), sizes.tolist(), strict=True):
        column = feature.name if feature.name in schema.features else feature.name.rpartition(".")[0]
        totals[column] = totals.get(column, 0.0) + size
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return [{"column": column, "mean_size": float(f"{size:.6g}")} for column, size in ordered]


def draw(found: list[dict[str, Any]], title: str) -> None:
    """The picture: a bar for each of the columns that matter most."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = found[:SHOWN][::-1]
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.3 * len(shown)), layout="constrained")
    axes.barh([each["column"] for each in shown], [each["mean_size"] for each in shown])
    axes.set(title=title, xlabel="mean size of the Shapley values")
    figure.savefig(PICTURE, dpi=120)


def main() -> None:
    """From models/model.pkl and data/test.parquet to both reports."""
    params = load_params()
    schema = load_data_schema(params)
    if not (paths.MODEL.exists() and paths.TEST.exists()):
        raise UserError(f"{paths.MODEL} or {paths.TEST} is missing; run `make pipeline` first")
    model = joblib.load(paths.MODEL)
    test, train = read_parquet(paths.TEST), read_parquet(paths.TRAIN)
    background = encode_frame(train.sample(min(BACKGROUND_ROWS, len(train)), random_state=params.split.seed), schema)
    rows = encode_frame(test.head(MOST_ROWS), schema)
    explainer, values = explain(model, rows, background, params.split.seed)
    found = summary(values, schema)
    write_json(REPORT, {"explainer": explainer, "rows": len(rows), "features": found})
    draw(found, f"{explainer}, {len(rows)} held-out rows")
    first = ", ".join(f"{each['column']} {each['mean_size']:.3g}" for each in found[:3])
    print(f"{explainer} on {len(rows)} rows: {first}. See {PICTURE}.")


if __name__ == "__main__":
    run(main)
