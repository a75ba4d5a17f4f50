"""The catalogue is whole: every control has a rule and every rule a control, with what reports need."""

import re
from pathlib import Path

import pulumi_aws
import pytest

from groundplan_policies.catalogue import CATALOGUE, PROFILES, Control
from groundplan_policies.repository import CHECKS
from groundplan_policies.rule import RULES, resource_rule

SDK = Path(pulumi_aws.__file__).parent
IDS = {
    "cis-aws-3.0": r"\d+(\.\d+)+",
    "cis-aws-7.0": r"\d+(\.\d+)+",
    "soc2": r"(CC|A|C|PI)\d\.\d",
    "iso27001-2022": r"A\.\d+\.\d+",
    "hipaa": r"164\.\d{3}(\([a-z0-9]+\))*(\([ivx]+\))?(\([A-Z]\))?",
    "gdpr": r"\d+|Ch\. [IVX]+",
    "nist-800-53r5": r"[A-Z]{2}-\d+(\(\d+\))?",
    "aws-ai-security": r"AISF-[A-Z]+-\d{2}",
    "eu-ai-act": r"Art\. \d+(\(\d+\))?",
}


def test_rules_and_controls_are_the_same_set() -> None:
    assert {control.id for control in CATALOGUE.controls} == RULES.ids | set(CHECKS)
    assert len(CATALOGUE.by_id) == len(CATALOGUE.controls) >= 52
    for control in CATALOGUE.controls:
        tables = {"resource": RULES.resource, "related": RULES.related, "stack": RULES.stack, "repository": CHECKS}
        assert control.id in tables[control.scope], control.id


def test_no_control_can_have_two_rules() -> None:
    with pytest.raises(ValueError, match="s3-bucket-versioning has a rule already"):
        resource_rule("s3-bucket-versioning")(lambda resource, policy: [])


@pytest.mark.parametrize("control", CATALOGUE.controls, ids=lambda control: control.id)
def test_a_control_is_complete(control: Control) -> None:
    assert control.level.get("baseline")
    assert set(control.level) <= set(PROFILES)
    assert {*control.verified, *control.own_reading} <= set(CATALOGUE.frameworks)
    assert bool(control.types) == (control.scope != "repository")
    for framework, ids in [*control.verified.items(), *control.own_reading.items()]:
        for each in ids:
            assert re.fullmatch(IDS[framework], each), f"{framework} {each}"
    for check in control.checkov:
        assert re.fullmatch(r"CKV2?_AWS_\d+", check)
    for text in (control.title, control.why, control.remediation, control.cost):
        assert text[0].isupper() or text[0].isdigit()


def test_stricter_profiles_never_loosen() -> None:
    order = ("advisory", "prod", "guarded", "always")
    for control in CATALOGUE.controls:
        baseline, *others = (order.index(control.level_in(profile)) for profile in PROFILES)
        assert all(baseline <= each for each in others), control.id


def test_every_type_exists_in_the_provider() -> None:
    tokens = set()
    for file in SDK.rglob("*.py"):
        tokens |= set(re.findall(r'type_token\("aws:([^"]+)"\)', file.read_text()))
    assert CATALOGUE.known_types - {"*"} <= tokens


def test_a_type_that_needs_no_rule_has_none() -> None:
    judged = {token for control in CATALOGUE.controls for token in [*control.types, *control.reads]}
    assert len(set(CATALOGUE.no_rule_needed)) == len(CATALOGUE.no_rule_needed)
    assert judged.isdisjoint(CATALOGUE.no_rule_needed)


def test_all_nine_frameworks_are_covered() -> None:
    for framework in CATALOGUE.frameworks:
        assert any(control.references(framework) for control in CATALOGUE.controls), framework
