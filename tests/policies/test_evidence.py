"""Evidence: valid OSCAL, the same for the same, what changed, and what people read."""

import datetime
import hashlib
import html.parser
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trestle.oscal.assessment_results import Model

from conftest import INFRA, TODAY, judged, policy_for, standing
from groundplan_policies.__main__ import write_evidence
from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.evidence import Evidence, EvidenceError, changes, oscal, read_last
from groundplan_policies.report import render, summary
from groundplan_policies.repository import evaluate_repository
from groundplan_policies.settings import StackFacts
from groundplan_policies.sources import SourceError, digest, from_graph, from_state, read_source
from groundplan_policies.waivers import Waiver

NOON = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
ACCEPTED = Waiver(
    control="log-group-retention",
    resource="*-jobs",
    environments=["prod"],
    reason="Jobs keep their own logs <for a year>",
    approver="ciso@example.com",
    expires=datetime.date(2027, 1, 1),
)


def evidence_of(graphs: Any, waivers: list[Waiver] | None = None, parameters: dict[str, Any] | None = None) -> Evidence:
    """Evidence of the prod graph under some parameters."""
    graph, facts = graphs("prod")
    policy = policy_for(facts, parameters=parameters or {})
    evaluation = judged(graph, policy, waivers)
    return Evidence("prod", policy, evaluation, waivers or [], NOON, digest(from_graph(graph)), "the graph")


LONG_LOGS = {"log_days": {"local": 1, "dev": 1, "staging": 1, "prod": 400}}


def test_the_json_is_valid_oscal(graphs: Any) -> None:
    document = oscal(evidence_of(graphs, [ACCEPTED], LONG_LOGS))
    Model.model_validate_json(json.dumps(document))
    result = document["assessment-results"]["results"][0]
    states = {each["target"]["target-id"]: each["target"]["status"]["state"] for each in result["findings"]}
    assert states["log-group-retention"] == "not-satisfied"
    assert states["s3-bucket-versioning"] == "satisfied"
    assert len(states) > 60
    observations = {each["uuid"] for each in result["observations"]}
    assert {each["related-observations"][0]["observation-uuid"] for each in result["findings"]} == observations
    with pytest.raises(ValueError, match="collected"):
        Model.model_validate_json(json.dumps(document).replace('"collected"', '"gathered"'))


def test_equal_evidence_gives_an_equal_document(graphs: Any) -> None:
    evidence = evidence_of(graphs)
    assert oscal(evidence) == oscal(replace(evidence))
    graph, _ = graphs("prod")
    reordered = {**graph, "resources": list(reversed(graph["resources"]))}
    assert digest(from_graph(reordered)) == digest(from_graph(graph))
    changed = {**graph, "resources": graph["resources"][1:]}
    assert digest(from_graph(changed)) != digest(from_graph(graph))


def test_every_waiver_and_every_loosened_level_is_in_every_form(graphs: Any) -> None:
    evidence = evidence_of(graphs, [ACCEPTED, replace_waiver("nothing-*")], LONG_LOGS)
    loose = replace(evidence, policy=evidence.policy.model_copy(update={"levels": {"rds-multi-az": "advisory"}}))
    page, text, document = (
        render(loose, "report.html.jinja"),
        render(loose, "report.md.jinja"),
        json.dumps(oscal(loose)),
    )
    for form in (page, text, document):
        assert "ciso@example.com" in form
        assert "rds-multi-az is advisory" in form
        assert "matches no violation" in form
    assert "&lt;for a year&gt;" in page
    assert "<for a year>" not in page


def replace_waiver(resource: str) -> Waiver:
    """The waiver for another resource."""
    return ACCEPTED.model_copy(update={"resource": resource})


def test_every_control_is_reported_under_every_framework_it_stands_for(graphs: Any) -> None:
    text = render(evidence_of(graphs), "report.md.jinja")
    sections = dict(zip(CATALOGUE.frameworks, re.split(r"\n## (?=.*\n\nSource of)", text)[1:], strict=True))
    for control in CATALOGUE.controls:
        if control.scope == "repository":
            continue
        for framework in CATALOGUE.frameworks:
            for reference, verified in control.references(framework):
                mark = "" if verified else " *"
                assert f"| {reference}{mark} | {control.id} |" in sections[framework]
    assert "\n\n\n" not in text


class Balance(html.parser.HTMLParser):
    """Counts what is opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole(graphs: Any) -> None:
    page = render(evidence_of(graphs, [ACCEPTED], LONG_LOGS), "report.html.jinja")
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert "http" not in page.replace("https", "")


def test_what_changed_since_the_last_time_is_told(graphs: Any, tmp_path: Path) -> None:
    write_evidence(evidence_of(graphs), tmp_path)
    assert "None." in (tmp_path / "prod.md").read_text()
    write_evidence(evidence_of(graphs, parameters=LONG_LOGS), tmp_path)
    assert "log-group-retention: satisfied -> violated" in (tmp_path / "prod.md").read_text()
    assert read_last(tmp_path / "prod.json") is not None
    assert changes(read_last(tmp_path / "prod.json"), evidence_of(graphs, parameters=LONG_LOGS).results) == []


@pytest.mark.parametrize("text", ["{", "{}", '{"assessment-results": {"results": []}}', "[]"])
def test_broken_earlier_evidence_is_named_and_kept(graphs: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "prod.json").write_text(text)
    with pytest.raises(EvidenceError, match="remove it to begin anew"):
        write_evidence(evidence_of(graphs), tmp_path)
    assert (tmp_path / "prod.json").read_text() == text


def test_the_terminal_shows_what_blocks_first(graphs: Any) -> None:
    lines = summary(evidence_of(graphs, parameters=LONG_LOGS)).splitlines()
    assert lines[0].startswith("mandatory  violated   log-group-retention")
    assert "kept for 365 days, not 400" in lines[1]
    assert lines[-1].startswith("stack prod, profile baseline: FAILED")


def chained(*entries: dict[str, Any]) -> str:
    """An audit log as a repository writes it."""
    lines, previous = [], "0" * 64
    for number, entry in enumerate(entries, start=1):
        whole = {"sequence": number, "previous": previous, **entry}
        previous = hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        lines.append(json.dumps({**whole, "hash": previous}))
    return "\n".join(lines) + "\n"


def repository(folder: Path, log: str = "", **files: Any) -> dict[str, str]:
    """How the controls of a repository with these files stand."""
    if log:
        (folder / "governance").mkdir(exist_ok=True)
        (folder / "governance/audit.jsonl").write_text(log)
    for name, content in files.items():
        file = folder / {"card": "governance/model-card.json", "audit": "reports/pip-audit.json"}.get(
            name, "reports/trivy.json"
        )
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    results = evaluate_repository(folder, policy_for(StackFacts()))
    return {result.control.id.removeprefix("repo-"): result.status for result in results}


LINEAGE = {"git_commit": "a1", "dvc_lock_hash": "b2", "data_hash": "c3", "git_dirty": "false"}
CARD = dict.fromkeys(("purpose", "out_of_scope", "data", "metrics", "limits", "owner"), "filled")


def test_a_repository_that_shows_everything_is_satisfied(tmp_path: Path) -> None:
    log = chained({"action": "promotion", "details": {"version": 1, "approver": "a@b.c", "lineage": LINEAGE}})
    found = repository(tmp_path, log, card=CARD, audit={"dependencies": []}, image={"Results": []})
    assert set(found.values()) == {"satisfied"}


def test_a_repository_that_shows_nothing_is_never_satisfied(tmp_path: Path) -> None:
    found = repository(tmp_path)
    assert set(found.values()) == {"undecided", "not-applicable"}
    assert found["model-card-complete"] == "undecided"
    assert found["audit-log-intact"] == "not-applicable"


def test_what_is_wrong_in_a_repository_is_found(tmp_path: Path) -> None:
    dirty = {"action": "promotion", "details": {"version": 1, "lineage": {**LINEAGE, "git_dirty": "true"}}}
    hole = {"name": "pillow", "version": "9.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["9.1"]}]}
    image = {"PkgName": "openssl", "VulnerabilityID": "CVE-1", "FixedVersion": "3.1", "Severity": "HIGH"}
    log = chained(dirty).replace('"version": 1', '"version": 2')
    found = repository(
        tmp_path,
        log,
        card={**CARD, "limits": ""},
        audit={"dependencies": [hole]},
        image={"Results": [{"Vulnerabilities": [image]}]},
    )
    assert set(found.values()) == {"violated"}


def test_what_cannot_be_read_is_undecided(tmp_path: Path) -> None:
    found = repository(tmp_path, "no json\n", card="{", audit="[", image="x")
    assert set(found.values()) == {"undecided"}


def exported(graph: dict[str, Any]) -> dict[str, Any]:
    """A captured graph as `pulumi stack export` would print it."""
    resources = [
        {
            "urn": each["urn"],
            "type": each["type"],
            "custom": each["custom"],
            "inputs": each["inputs"],
            "outputs": {**each["inputs"], "arn": f"arn:aws:x:::{each['name']}"},
            "id": f"{each['name']}-id",
            "protect": each["protect"],
            "parent": each["parent"],
            "propertyDependencies": each["property_dependencies"],
        }
        for each in graph["resources"]
    ]
    return {"version": 3, "deployment": {"resources": resources}}


def test_an_existing_stack_is_judged_as_its_graph(graphs: Any) -> None:
    graph, facts = graphs("prod")
    of_state, of_graph = judged(from_state(exported(graph)), policy_for(facts)), judged(graph, policy_for(facts))
    assert [each.status for each in of_state.results] == [each.status for each in of_graph.results]


def test_where_dependencies_are_lost_names_and_ids_still_join(graphs: Any) -> None:
    _, facts = graphs("prod")
    bucket = {"urn": "urn::a", "type": "aws:s3/bucket:Bucket", "custom": True, "id": "data-4711", "inputs": {}}
    versioning = {
        "urn": "urn::b",
        "type": "aws:s3/bucketVersioning:BucketVersioning",
        "custom": True,
        "inputs": {"bucket": "data-4711", "versioningConfiguration": {"status": "Enabled"}},
    }
    stack = from_state({"deployment": {"resources": [bucket, versioning]}})
    assert "s3-bucket-versioning" in standing(judged(stack, policy_for(facts)), "satisfied")
    other = from_state({"deployment": {"resources": [{**bucket, "id": "other"}, versioning]}})
    assert "s3-bucket-versioning" in standing(judged(other, policy_for(facts)), "violated")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"resources": 3}', '{"deployment": 3}', '{"resources": [{}]}'])
def test_a_source_that_is_none_is_one_line(text: str) -> None:
    with pytest.raises(SourceError, match=r"^x: ") as error:
        read_source(text, "x")
    assert "\n" not in str(error.value)


def test_infra_and_policies_read_the_same_secret_text() -> None:
    from groundplan_infra.graph import SECRET
    from groundplan_policies.sources import SECRET_TEXT

    assert SECRET == SECRET_TEXT
    assert (INFRA / "Pulumi.prod.yaml").exists()
    assert NOON.date() == TODAY
