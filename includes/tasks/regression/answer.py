"""How a prediction is put into words for a client: the number."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..schema import Schema

Array = npt.NDArray[Any]


def answers(schema: Schema) -> Callable[[list[Array]], list[dict[str, Any]]]:
    """A function from the output of the model to one answer a row."""

    def answer(outputs: list[Array]) -> list[dict[str, Any]]:
        return [{"prediction": value} for value in outputs[0].ravel().tolist()]

    return answer


def native_outputs(model: Any, features: Array) -> list[Array]:
    """The output of a model that was not converted, in the form of a converted one."""
    return [np.asarray(model.predict(features))]


def scores(outputs: list[Array], label: Any, schema: Schema) -> Array:
    """What an explanation takes apart: the number, shape (rows,)."""
    return np.asarray(outputs[0]).ravel()


def answer_schema(schema: Schema) -> dict[str, Any]:
    """The OpenAPI schema of one answer."""
    return {"type": "object", "properties": {"prediction": {"type": "number"}}}
