"""What the model sees. The input is the encoded table of `encoding.py`: 32-bit floats, NaN where a value is missing.

Use transformers that ONNX can express (most of scikit-learn's can) and the service stays small and fast. With any
other, the export says so and the service runs the native model. Trees need no scaling; leave it out for them: a
rounding difference of the scaler can send a row down another branch.
"""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from ..encoding import Feature

MISSING = -1


def build_features(features: list[Feature]) -> ColumnTransformer:
    """Numbers get the median where they are missing; categories become one column each, missing being one of them."""
    numbers = [position for position, feature in enumerate(features) if feature.kind == "number"]
    categories = [position for position, feature in enumerate(features) if feature.kind == "category"]
    one_hot = Pipeline(
        [
            ("impute", SimpleImputer(strategy="constant", fill_value=MISSING)),
            ("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ]
    )
    return ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median", keep_empty_features=True), numbers),
            ("categories", one_hot, categories),
        ]
    )
