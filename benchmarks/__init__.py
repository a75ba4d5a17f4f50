"""Measurements beside peers. Ratios within one run count, single times are noisy. Figures are in results/."""
