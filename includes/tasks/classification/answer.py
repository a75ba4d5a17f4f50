"""How a prediction is put into words for a client: the label and the probability of each class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..schema import Schema

Array = npt.NDArray[Any]


def answers(schema: Schema) -> Callable[[list[Array]], list[dict[str, Any]]]:
    """A function from the outputs of the model (label, probabilities) to one answer a row."""
    labels = schema.classes
    names = [str(label) for label in labels]

    def answer(outputs: list[Array]) -> list[dict[str, Any]]:
        return [
            {"prediction": labels[position], "probabilities": dict(zip(names, row, strict=True))}
            for position, row in zip(outputs[1].argmax(axis=1).tolist(), outputs[1].tolist(), strict=True)
        ]

    return answer


def native_outputs(model: Any, features: Array) -> list[Array]:
    """The outputs of a model that was not converted, in the order of a converted one."""
    probabilities = np.asarray(model.predict_proba(features))
    return [probabilities.argmax(axis=1), probabilities]


def scores(outputs: list[Array], label: Any, schema: Schema) -> Array:
    """What an explanation takes apart: the probability of a class, shape (rows,)."""
    return np.asarray(outputs[1])[:, schema.classes.index(label)]


def answer_schema(schema: Schema) -> dict[str, Any]:
    """The OpenAPI schema of one answer."""
    return {
        "type": "object",
        "properties": {
            "prediction": {"enum": schema.classes},
            "probabilities": {
                "type": "object",
                "properties": {str(label): {"type": "number", "minimum": 0, "maximum": 1} for label in schema.classes},
            },
        },
    }
