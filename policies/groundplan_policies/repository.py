"""What a repository itself can prove: model card, lineage, approvals, audit log, scans of packages and of the image.

It reads the files that the generated repository writes, and needs nothing of its code.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.evaluate import Finding, Result
from groundplan_policies.settings import Policy

AUDIT_LOG = Path("governance/audit.jsonl")
MODEL_CARD = Path("governance/model-card.json")
LINEAGE = ("git_commit", "dvc_lock_hash", "data_hash")
# EU AI Act, article 13(3), and what the field calls a model card.
CARD_FIELDS = ("purpose", "out_of_scope", "data", "metrics", "limits", "owner")
GENESIS = "0" * 64
Check = Callable[[Path], Iterator[str]]


class NotProvidedError(Exception):
    """The repository does not show what it should; the message says what is missing."""


class NothingYetError(Exception):
    """There is nothing to judge yet; the message says why."""


def read_json(file: Path, what: str) -> Any:
    """A JSON file; raises NotProvidedError where there is none or it cannot be read."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        raise NotProvidedError(f"no {what} at {file}") from None
    except (OSError, ValueError) as error:
        raise NotProvidedError(f"{file} cannot be read: {error}") from None


def entries(folder: Path) -> list[dict[str, Any]]:
    """The lines of the audit log; raises NothingYetError where nobody promoted a model, and NotProvidedError."""
    file = folder / AUDIT_LOG
    try:
        return [json.loads(line) for line in file.read_text().splitlines()]
    except FileNotFoundError:
        raise NothingYetError(f"no audit log at {file}: nothing was promoted yet") from None
    except (OSError, ValueError) as error:
        raise NotProvidedError(f"{file} cannot be read: {error}") from None


def entry_hash(entry: dict[str, Any]) -> str:
    """SHA-256 of an entry without its own hash, as canonical JSON: what the repository's audit log chains."""
    body = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def audit_log_intact(folder: Path) -> Iterator[str]:
    previous = GENESIS
    for number, entry in enumerate(entries(folder), start=1):
        if entry.get("hash") != entry_hash(entry) or entry.get("previous") != previous:
            yield f"{AUDIT_LOG}, line {number}: the chain is broken"
            return
        previous = str(entry["hash"])


def last_promotion(folder: Path) -> dict[str, Any]:
    """The newest promotion in the audit log; raises NothingYetError where there is none, and NotProvidedError."""
    promotions = [each for each in entries(folder) if each.get("action") == "promotion"]
    if not promotions:
        raise NothingYetError("nothing was promoted yet")
    return promotions[-1]


def release_approved(folder: Path) -> Iterator[str]:
    promotion = last_promotion(folder)
    if not promotion.get("details", {}).get("approver"):
        yield f"the promotion of {promotion.get('time')} by {promotion.get('actor')} names no approver"


def lineage_recorded(folder: Path) -> Iterator[str]:
    details = last_promotion(folder).get("details", {})
    known = details.get("lineage", {})
    missing = [fact for fact in LINEAGE if not known.get(fact)]
    if missing:
        yield f"version {details.get('version')} does not tell its {', '.join(missing)}"
    if known.get("git_dirty") == "true":
        yield f"version {details.get('version')} was made from files that are in no commit"


def model_card_complete(folder: Path) -> Iterator[str]:
    card = read_json(folder / MODEL_CARD, "model card")
    empty = [field for field in CARD_FIELDS if not card.get(field)]
    if empty:
        yield f"empty: {', '.join(empty)}"


def dependencies_clean(folder: Path) -> Iterator[str]:
    report = read_json(folder / "reports/pip-audit.json", "report of pip-audit")
    for package in report.get("dependencies", []):
        for hole in package.get("vulns", []):
            if hole.get("fix_versions"):
                fixed = ", ".join(hole["fix_versions"])
                yield f"{package['name']} {package.get('version')} has {hole['id']}; fixed in {fixed}"


def image_clean(folder: Path) -> Iterator[str]:
    report = read_json(folder / "reports/trivy.json", "report of trivy")
    for result in report.get("Results", []):
        for hole in result.get("Vulnerabilities") or []:
            if hole.get("FixedVersion") and hole.get("Severity") in ("HIGH", "CRITICAL"):
                yield f"{hole['PkgName']} has {hole['VulnerabilityID']}; fixed in {hole['FixedVersion']}"


CHECKS: dict[str, Check] = {
    "repo-model-card-complete": model_card_complete,
    "repo-lineage-recorded": lineage_recorded,
    "repo-audit-log-intact": audit_log_intact,
    "repo-release-approved": release_approved,
    "repo-dependencies-clean": dependencies_clean,
    "repo-image-clean": image_clean,
}


def findings_of(control: str, folder: Path) -> list[Finding]:
    """How a control stands in a repository; what should be there and is not is undecided, never satisfied."""
    try:
        violated = [Finding(control, "", "violated", each) for each in CHECKS[control](folder)]
    except NothingYetError as reason:
        return [Finding(control, "", "not-applicable", str(reason))]
    except NotProvidedError as missing:
        return [Finding(control, "", "undecided", str(missing))]
    return violated or [Finding(control, "", "satisfied")]


def evaluate_repository(folder: Path, policy: Policy) -> list[Result]:
    """How the controls of a repository stand."""
    results = []
    for control in CATALOGUE.controls:
        if control.scope == "repository":
            results.append(Result(control, policy.level(control.id), findings_of(control.id, folder)))
    return results
