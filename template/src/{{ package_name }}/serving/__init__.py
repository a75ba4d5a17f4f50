"""The prediction service. It imports NumPy, ONNX Runtime, msgspec and the Prometheus client, and nothing heavier."""
