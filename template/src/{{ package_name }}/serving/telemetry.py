"""What the service tells Prometheus."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest

from .predictor import Predictor

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
        self.values = Summary("predicted_value", "Predicted numbers", registry=registry)
        self.outcomes = Counter(
            "model_requests", "What became of requests to a version", ["version", "outcome"], registry=registry
        )
        self.model_latency = Histogram(
            "model_duration_seconds",
            "Time a version took for a request, or was given",
            ["version"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.log_dropped = Counter("prediction_log_dropped", "Log records lost to a full queue", registry=registry)
        self.reload_failures = Counter("model_reload_failures", "New versions that did not load", registry=registry)
        self.model = Gauge("model_info", "The version that answers", ["version", "runtime"], registry=registry)
        self.created = Gauge("model_created_timestamp_seconds", "When the champion was registered", registry=registry)
        self.psi = Gauge("input_psi", "Stability index of the last rows", ["column"], registry=registry)
        self.by_chance = Gauge(
            "input_psi_by_chance", "What the index reaches by chance alone", ["column"], registry=registry
        )
        self.missing = Gauge("input_missing_ratio", "Share missing in the last rows", ["column"], registry=registry)
        self.shift = Gauge(
            "input_shift_deviations",
            "Mean of the last rows, from that of the training data",
            ["column"],
            registry=registry,
        )
        self.predictor: Predictor | None = None

    def use_model(self, predictor: Predictor) -> None:
        """Say which version answers from now on."""
        self.predictor = predictor
        self.model.clear()
        self.model.labels(predictor.version, predictor.runtime).set(1)
        self.created.set(predictor.info.get("created", 0))

    def outcome(self, version: str, outcome: str, seconds: float | None = None) -> None:
        """Count what became of a request to a version: ok, error, timeout or busy."""
        self.outcomes.labels(version, outcome).inc()
        if seconds is not None:
            self.model_latency.labels(version).observe(seconds)

    def answered(self, version: str, seconds: float) -> None:
        """Count an answer of a version."""
        self.outcome(version, "ok", seconds)

    def predicted(self, predictor: Predictor, answers: list[dict[str, Any]]) -> None:
        """Count what was answered."""
        self.rows.labels(predictor.version).inc(len(answers))
        for answer in answers:
            if predictor.schema.classes:
                self.classes.labels(str(answer["prediction"])).inc()
            else:
                self.values.observe(answer["prediction"])

    def measure_window(self) -> None:
        """Bring the statistics of the last rows up to date."""
        for gauge in (self.psi, self.by_chance, self.missing, self.shift):
            gauge.clear()
        window = self.predictor.window if self.predictor else None
        for each in window.measure() if window else []:
            self.psi.labels(each.column).set(each.psi)
            self.by_chance.labels(each.column).set(each.by_chance)
            self.missing.labels(each.column).set(each.missing)
            if each.shift is not None:
                self.shift.labels(each.column).set(each.shift)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        self.measure_window()
        return generate_latest(self.registry)
