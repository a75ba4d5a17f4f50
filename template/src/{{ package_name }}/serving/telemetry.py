"""What the service tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Telemetry:
    """The metrics of one process."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.requests = Counter("http_requests", "Requests by path and status", ["path", "status"], registry=registry)
        self.latency = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to its answer",
            ["path"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.in_progress = Gauge("http_requests_in_progress", "Predictions waiting or running", registry=registry)
        self.rows = Counter("predicted_rows", "Rows answered, by model version", ["version"], registry=registry)
        self.classes = Counter("predicted_class", "Rows answered, by class", ["label"], registry=registry)
        self.log_dropped = Counter("prediction_log_dropped", "Log records lost to a full queue", registry=registry)
        self.reload_failures = Counter("model_reload_failures", "New versions that did not load", registry=registry)
        self.model = Gauge("model_info", "The version that answers", ["version", "runtime"], registry=registry)

    def use_model(self, version: str, runtime: str) -> None:
        """Say which version answers from now on."""
        self.model.clear()
        self.model.labels(version, runtime).set(1)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
