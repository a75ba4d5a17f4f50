"""What the ONNX converter must know beyond scikit-learn: nothing."""


def register_converters() -> None:
    """scikit-learn's estimators are known to skl2onnx."""
