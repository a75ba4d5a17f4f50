"""Measurements beside peers; see docs/explanation/measurements.md."""
