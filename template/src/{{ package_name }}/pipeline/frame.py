"""Whole tables for the model: the encoding of encoding.py on pandas, and the model as other tools load it."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .. import task
from ..encoding import Floats, column_encoder, column_width, encoded_features
from ..schema import Column, Schema

Array = npt.NDArray[Any]


def encode_frame(frame: pd.DataFrame, schema: Schema) -> Floats:
    """A typed table to an array of shape (rows, features); equal, bit for bit, to RowEncoder on its rows."""
    parts = [encode_column(frame[name], column) for name, column in schema.features.items()]
    assert sum(part.shape[1] for part in parts) == len(encoded_features(schema))
    return np.hstack(parts)


def encode_column(values: pd.Series, column: Column) -> Floats:
    """One column to its floats; each distinct category and date is encoded once."""
    if column.type in ("category", "date"):
        encode = column_encoder(column)
        distinct = values.dropna().unique()
        lookup = pd.DataFrame([encode(value) for value in distinct], index=pd.Index(distinct, dtype=object))
        lookup = lookup.reindex(columns=range(column_width(column)))
        return lookup.reindex(values.to_numpy(dtype=object)).to_numpy(dtype=np.float32)
    return values.to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32)[:, None]


class TabularModel(BaseEstimator):
    """The model as MLflow and other servers see it: a table with the columns of the schema in, labels out."""

    def __init__(self, pipeline: Pipeline, schema: Schema) -> None:
        self.pipeline = pipeline
        self.schema = schema

    def predict(self, frame: pd.DataFrame) -> Array:
        """Labels (classification) or values (regression), one a row."""
        return np.array(task.to_labels(self.predict_scores(frame), self.schema))

    def predict_scores(self, frame: pd.DataFrame) -> Array:
        """Class probabilities, shape (rows, classes), or values, shape (rows,)."""
        return task.predict(self.pipeline, encode_frame(frame, self.schema))
