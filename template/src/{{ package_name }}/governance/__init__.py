"""Where a model comes from, and who decided what."""
