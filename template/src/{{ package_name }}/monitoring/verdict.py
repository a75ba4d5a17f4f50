"""Whether a challenger that answers real requests does as well as the champion. Pure functions of counts.

Each step of a rollout is judged once, by one-sided tests that ask whether the challenger is worse: Fisher's exact test
for failed requests, Mann-Whitney for how long they took, Welch's t-test for the loss of labelled predictions. The level
is shared among all checks of all steps (Bonferroni). While there are no labels, the predictions of both are compared.
"""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.stats import chi2_contingency, fisher_exact, mannwhitneyu, ttest_ind

from ..pipeline.gate import Check
from ..pipeline.params import Rollout
from ..stability import psi

Array = npt.NDArray[Any]
FEWEST_LABELS = 30
BEYOND_DOUBT = 1e-6  # a step is not waited out when failures are as sure as this
QUANTILE = 0.95


class Requests(msgspec.Struct):
    """What became of the requests to a version: how many, how many failed, and how many took up to each bound (s)."""

    total: float = 0
    failed: float = 0
    bounds: list[float] = []
    below: list[float] = []

    def since(self, earlier: "Requests") -> "Requests":
        """What was added."""
        before = earlier.below or [0.0] * len(self.below)
        below = [now - then for now, then in zip(self.below, before, strict=True)]
        return Requests(self.total - earlier.total, self.failed - earlier.failed, self.bounds, below)

    def quantile(self) -> float:
        """The bound that 95 % of the requests stayed below, in seconds."""
        if not self.below or not self.below[-1]:
            return 0.0
        place = int(np.searchsorted(self.below, QUANTILE * self.below[-1]))
        return self.bounds[place]

    def places(self) -> Array:
        """For each request, the place of its bound among the bounds."""
        return np.repeat(np.arange(len(self.below)), np.diff([0.0, *self.below]).astype(int))


class Outcome(msgspec.Struct):
    """Labelled losses and predicted values of a version; `values` are classes or numbers."""

    losses: Array
    values: list[Any]


def failures(champion: Requests, challenger: Requests) -> tuple[float, float]:
    """The share of the challenger's requests that failed, and the p-value of it not being worse."""
    table = [[int(each.failed), int(each.total - each.failed)] for each in (challenger, champion)]
    share = challenger.failed / challenger.total if challenger.total else 0.0
    return share, float(fisher_exact(table, alternative="greater").pvalue)


def hopeless(champion: Requests, challenger: Requests) -> bool:
    """Whether the challenger fails so often that nobody should wait for the end of the step."""
    return failures(champion, challenger)[1] < BEYOND_DOUBT


def check_failures(champion: Requests, challenger: Requests, level: float) -> Check:
    """No more failed requests than the champion."""
    share, p_value = failures(champion, challenger)
    before = champion.failed / champion.total if champion.total else 0.0
    measured, required = f"{share:.4f}, p {p_value:.2g}", f"as {before:.4f}, or p >= {level:.2g}"
    return Check("failed requests (Fisher)", measured, required, p_value >= level)


def check_latency(champion: Requests, challenger: Requests, level: float, limits: Rollout) -> Check:
    """Not slower, beyond what is allowed and beyond chance."""
    allowed = max(champion.quantile() * limits.max_slowdown, limits.max_seconds)
    found, p_value = challenger.quantile(), 1.0
    if champion.below and challenger.below and champion.below[-1] and challenger.below[-1]:
        p_value = float(mannwhitneyu(challenger.places(), champion.places(), alternative="greater").pvalue)
    measured, required = f"95 % in {found:g} s, p {p_value:.2g}", f"<= {allowed:g} s, or p >= {level:.2g}"
    return Check("latency (Mann-Whitney)", measured, required, found <= allowed or p_value >= level)


def check_quality(champion: Outcome, challenger: Outcome, level: float, limits: Rollout) -> Check:
    """No larger loss where labels are known; else no other predictions than `max_shift` allows."""
    if min(len(champion.losses), len(challenger.losses)) >= FEWEST_LABELS:
        means = float(champion.losses.mean()), float(challenger.losses.mean())
        p_value = float(ttest_ind(challenger.losses, champion.losses, equal_var=False, alternative="greater").pvalue)
        passed = means[1] <= means[0] or not p_value < level
        measured = f"{means[1]:.4g} on {len(challenger.losses)} labels, p {p_value:.2g}"
        return Check("loss (Welch)", measured, f"<= {means[0]:.4g}, or p >= {level:.2g}", passed)
    before, now = (counts(each.values, champion.values) for each in (champion, challenger))
    index = psi(before, now) if before.sum() and now.sum() else 0.0
    used = np.array([before, now])[:, before + now > 0]
    p_value = float(chi2_contingency(used).pvalue) if used.shape[1] > 1 and used.sum(axis=1).all() else 1.0
    passed = index <= limits.max_shift or p_value >= level
    measured = f"PSI {index:.3f}, p {p_value:.2g}"
    return Check("predictions, no labels yet (chi-squared)", measured, f"PSI <= {limits.max_shift:g}", passed)


def counts(values: list[Any], among: list[Any]) -> Array:
    """How often each class occurs; numbers are counted between the deciles of `among`."""
    if among and isinstance(among[0], float):
        cuts = np.unique(np.quantile(np.asarray(among), np.linspace(0.1, 0.9, 9)))
        return np.bincount(np.searchsorted(cuts, values), minlength=len(cuts) + 1).astype(np.float64)
    names = sorted({*map(str, among), *map(str, values)})
    spelled = [str(value) for value in values]
    return np.array([spelled.count(name) for name in names], dtype=np.float64)


def judge(
    requests: tuple[Requests, Requests], outcomes: tuple[Outcome, Outcome], limits: Rollout, steps: int
) -> list[Check]:
    """Every check of one step; each pair is champion, challenger."""
    level = limits.p_value / (3 * steps)
    return [
        check_failures(*requests, level),
        check_latency(*requests, level, limits),
        check_quality(*outcomes, level, limits),
    ]
