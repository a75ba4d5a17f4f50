"""What the trigger does: retrain, by the pipeline here or the workflow of the CI system, and roll back."""

import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import quote

import msgspec

from ..cli import UserError, reason
from ..governance import audit
from ..pipeline.rollback import roll_back
from ..settings import Settings
from .learn import learn
from .trigger import Cause

API_URLS = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}
WORKFLOW = "ci.yml"
TIMEOUT_SECONDS = 30
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


def dispatch_request(settings: Settings) -> urllib.request.Request:
    """The call that starts the CI workflow; raises UserError when a setting is missing."""
    missing = [name for name in ("ci_repository", "ci_token") if not getattr(settings, name)]
    if missing:
        raise UserError(f"RETRAIN_TARGET={settings.retrain_target} needs {missing[0].upper()}")
    base = (settings.ci_api_url or API_URLS[settings.retrain_target]).rstrip("/")
    if settings.retrain_target == "github":
        # https://docs.github.com/rest/actions/workflows, "Create a workflow dispatch event"
        url = f"{base}/repos/{settings.ci_repository}/actions/workflows/{WORKFLOW}/dispatches"
        headers = {"Authorization": f"Bearer {settings.ci_token}", "Accept": "application/vnd.github+json"}
    else:
        # https://docs.gitlab.com/api/pipelines, "Create a new pipeline"
        url = f"{base}/projects/{quote(settings.ci_repository, safe='')}/pipeline"
        headers = {"PRIVATE-TOKEN": settings.ci_token}
    body = msgspec.json.encode({"ref": settings.ci_ref})
    return urllib.request.Request(url, data=body, headers={**headers, "Content-Type": "application/json"})


def dispatch(settings: Settings) -> str:
    """Start the CI workflow."""
    request = dispatch_request(settings)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
            return f"the workflow of {settings.ci_repository} on {settings.ci_ref} is started"
    except urllib.error.HTTPError as error:
        raise UserError(
            f"{settings.retrain_target} answers {error.code} {error.reason} to {request.full_url}"
        ) from None
    except OSError as error:
        raise UserError(f"{request.full_url} does not answer: {reason(error)}") from None
