"""Teaches the ONNX converter about LightGBM."""

import copy
from typing import Any

import numpy as np
from lightgbm import Booster, LGBMClassifier, LGBMRegressor
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)


def round_down(threshold: float) -> float:
    """The largest 32-bit float that is not above a threshold.

    LightGBM splits at 64-bit midpoints, ONNX at 32-bit ones. Rounded to the nearest, a threshold may pass a value that
    lies on it, and its row takes the other branch; rounded down, every 32-bit value takes the same one.
    """
    single = np.float32(threshold)
    return float(np.nextafter(single, np.float32(-np.inf)) if float(single) > threshold else single)


def round_thresholds(node: Any) -> None:
    """Round the numeric thresholds of a tree, in place."""
    if isinstance(node.get("threshold"), float):
        node["threshold"] = round_down(node["threshold"])
    for side in ("left_child", "right_child"):
        if side in node:
            round_thresholds(node[side])


class RoundedBooster:
    """What onnxmltools asks a booster for, with rounded thresholds."""

    is_mock = True

    def __init__(self, booster: Booster) -> None:
        self.booster = booster

    def dump_model(self) -> dict[str, Any]:
        """The trees."""
        dumped: dict[str, Any] = self.booster.dump_model()
        for tree in dumped["tree_info"]:
            round_thresholds(tree["tree_structure"])
        return dumped


def convert(scope: Any, operator: Any, container: Any) -> None:
    """onnxmltools' conversion, of thresholds that survive it."""
    rounded = copy.copy(operator.raw_operator)
    rounded._Booster = RoundedBooster(rounded.booster_)
    operator.raw_operator = rounded
    convert_lightgbm(scope, operator, container)


def register_converters() -> None:
    """Register both estimators with skl2onnx."""
    update_registered_converter(
        LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    update_registered_converter(
        LGBMRegressor,
        "LightGbmLGBMRegressor",
        calculate_linear_regressor_output_shapes,
        convert,
        options={"split": None},
    )
