"""Controls for machine-learning platforms on AWS."""
