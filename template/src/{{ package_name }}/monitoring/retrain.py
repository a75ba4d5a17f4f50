"""What the trigger does: retrain, by the pipeline here or the workflow of the CI system, and roll back."""

import subprocess
import sys
from urllib.parse import quote

from ..cli import UserError
from ..governance import audit
from ..governance.ci_host import call, check_settings
from ..pipeline.rollback import roll_back
from ..settings import Settings
from .learn import learn
from .trigger import Cause

WORKFLOW = "ci.yml"
UNCHANGED = "Data and pipelines are up to date."


def retrain(settings: Settings, cause: Cause) -> str:
    """Retrain where RETRAIN_TARGET says, and record it; returns what was done. Raises UserError when it failed."""
    learned = learn(settings).added if settings.retrain_target == "local" else 0
    done = run_pipeline() if settings.retrain_target == "local" else dispatch(settings)
    details = {"cause": cause.text, "target": settings.retrain_target, "new_rows": learned, "outcome": done}
    audit.append("retrain", details)
    return done


def take_back(settings: Settings, cause: Cause) -> str:
    """Roll back the version that an alert names, if it still is the champion; raises UserError when it cannot."""
    return roll_back(settings, cause.text, cause.version)


def run_pipeline() -> str:
    """Run the stages whose inputs have changed; what comes out of them is the challenger."""
    command = [sys.executable, "-m", "dvc", "repro"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        words = [line for line in (ran.stderr + ran.stdout).splitlines() if line.strip()]
        told = [line for line in words if line.lower().startswith("error: ")] or words[-1:] or ["it said nothing"]
        raise UserError(f"dvc repro: {told[0]}")
    if UNCHANGED in ran.stdout:
        return "nothing to learn from: take newer data with `make data`, or labels with `make labels`"
    return next((line for line in ran.stdout.splitlines() if "is the challenger" in line), "the pipeline has run")


def dispatch(settings: Settings) -> str:
    """Start the CI workflow; raises UserError when a setting is missing or the host refuses."""
    host, repository = settings.retrain_target, settings.ci_repository
    check_settings(settings, f"RETRAIN_TARGET={host}")
    if host == "github":
        # https://docs.github.com/rest/actions/workflows, "Create a workflow dispatch event"
        path = f"/repos/{repository}/actions/workflows/{WORKFLOW}/dispatches"
    else:
        # https://docs.gitlab.com/api/pipelines, "Create a new pipeline"
        path = f"/projects/{quote(repository, safe='')}/pipeline"
    call(host, settings, "POST", path, {"ref": settings.ci_ref})
    return f"the workflow of {repository} on {settings.ci_ref} is started"
