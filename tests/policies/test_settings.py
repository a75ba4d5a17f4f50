"""Profiles, levels, parameters and waivers: what they mean, and what is said of mistakes."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from conftest import TODAY, judged, policy_for, standing
from groundplan_policies.facts import from_config, from_file
from groundplan_policies.settings import SettingsError, StackFacts, loosened, read_policy_file
from groundplan_policies.waivers import read_waivers

WAIVER = {
    "control": "rds-multi-az",
    "resource": "*-tracking-database",
    "environments": ["prod"],
    "reason": "The database moves to Aurora in March",
    "approver": "ciso@example.com",
    "expires": datetime.date(2027, 3, 31),
}


@pytest.mark.parametrize(
    ("facts", "profile"),
    [
        ({}, "baseline"),
        ({"data_classification": "confidential"}, "baseline"),
        ({"data_classification": "restricted"}, "regulated"),
        ({"regulation": "eu-ai-act"}, "eu-ai-act"),
        ({"regulation": "eu-ai-act", "data_classification": "restricted"}, "eu-ai-act"),
    ],
)
def test_the_profile_follows_from_the_stack(facts: dict[str, str], profile: str) -> None:
    assert policy_for(StackFacts.model_validate(facts)).profile == profile


def test_levels_follow_environment_and_profile() -> None:
    def level(environment: str, **settings: Any) -> str:
        return policy_for(StackFacts.model_validate({"environment": environment}), **settings).level(
            "vpc-flow-logs-enabled"
        )

    assert [level(each) for each in ("local", "dev", "staging", "prod")] == ["advisory", "advisory", *["mandatory"] * 2]
    assert level("dev", profile="regulated") == "mandatory"
    assert level("prod", levels={"vpc-flow-logs-enabled": "advisory"}) == "advisory"
    own = {"dev": {"levels": {"vpc-flow-logs-enabled": "mandatory"}}}
    assert level("dev", environments=own) == "mandatory"
    assert level("staging", environments=own, levels={"vpc-flow-logs-enabled": "disabled"}) == "disabled"


def test_parameters_of_an_environment_go_before_those_for_all() -> None:
    settings = {
        "parameters": {"max_gpu_vcpus": 8},
        "environments": {"dev": {"parameters": {"max_gpu_vcpus": 4}}},
    }
    assert policy_for(StackFacts(environment="dev"), **settings).parameters.max_gpu_vcpus == 4
    assert policy_for(StackFacts(environment="prod"), **settings).parameters.max_gpu_vcpus == 8


def test_what_is_looser_than_asked_for_is_told() -> None:
    facts = StackFacts(environment="prod", regulation="eu-ai-act")
    assert loosened(policy_for(facts)) == []
    assert loosened(policy_for(facts, profile="baseline", levels={"rds-multi-az": "advisory"})) == [
        "profile baseline, though the stack asks for eu-ai-act",
        "rds-multi-az is advisory, not mandatory",
    ]
    assert loosened(policy_for(StackFacts(), profile="eu-ai-act")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("levels: {no-such: mandatory}", "levels names no-such, which is no control"),
        ("profile: strict", "profile: Input should be 'baseline', 'regulated' or 'eu-ai-act'"),
        ("parameters: {max_gpus: 3}", "max_gpus"),
        ("parameters: {max_gpu_vcpus: many}", "max_gpu_vcpus"),
        ("levels: {rds-multi-az: maybe}", "levels.rds-multi-az"),
        ("environments: {qa: {}}", "environments.qa"),
        ("profil: baseline", "profil: is not a key"),
        ("[1]", "must hold keys and values"),
        ("a: [", "cannot be read"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_mistake_in_the_settings_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(SettingsError) as error:
        read_policy_file(tmp_path)
    assert message in str(error.value)
    assert str(tmp_path / "policy.yaml") in str(error.value)
    assert "\n" not in str(error.value)


def test_without_files_the_defaults_hold(tmp_path: Path) -> None:
    assert read_policy_file(tmp_path).profile is None
    assert read_waivers(tmp_path, "prod") == []


def waivers_in(folder: Path, *each: dict[str, Any]) -> list[Any]:
    """The waivers of a file."""
    import yaml

    (folder / "waivers.yaml").write_text(yaml.safe_dump({"waivers": list(each)}))
    return read_waivers(folder, "prod")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"control": "no-such"}, "control no-such is not in the catalogue"),
        ({"resource": "*"}, "names everything"),
        ({"approver": "somebody"}, "approver"),
        ({"reason": "later"}, "reason"),
        ({"expires": "soon"}, "expires"),
        ({"environments": []}, "environments"),
        ({"ticket": "X-1"}, "ticket: is not a key"),
    ],
)
def test_a_mistake_in_a_waiver_is_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        waivers_in(tmp_path, {**WAIVER, **change})
    assert "\n" not in str(error.value)
    assert "waivers.yaml: waivers.0" in str(error.value)


def single_zone(graphs: Any) -> tuple[Any, Any]:
    """The prod graph with its database in one zone, and its policy."""
    import copy

    graph, facts = graphs("prod")
    broken = copy.deepcopy(graph)
    next(each for each in broken["resources"] if each["type"] == "aws:rds/instance:Instance")["inputs"]["multiAz"] = (
        False
    )
    return broken, policy_for(facts)


def test_a_waiver_that_holds_lets_a_violation_pass(graphs: Any, tmp_path: Path) -> None:
    graph, policy = single_zone(graphs)
    assert not judged(graph, policy).passed
    evaluation = judged(graph, policy, waivers_in(tmp_path, WAIVER))
    assert evaluation.passed
    assert standing(evaluation, "waived") == {"rds-multi-az"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"expires": TODAY - datetime.timedelta(days=1)}, "expired on 2026-11-20"),
        ({"expires": TODAY + datetime.timedelta(days=400)}, "more than a year ahead"),
        ({"resource": "*-other"}, "matches no violation; remove it"),
        ({"control": "rds-no-public-access"}, "matches no violation; remove it"),
    ],
)
def test_a_waiver_that_does_not_hold_fails(graphs: Any, tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    graph, policy = single_zone(graphs)
    evaluation = judged(graph, policy, waivers_in(tmp_path, {**WAIVER, **change}))
    assert not evaluation.passed
    assert problem in evaluation.waiver_problems[0]
    assert standing(evaluation, "violated") == {"rds-multi-az"}


def test_an_unneeded_waiver_fails_a_clean_stack(graphs: Any, tmp_path: Path) -> None:
    graph, facts = graphs("prod")
    evaluation = judged(graph, policy_for(facts), waivers_in(tmp_path, WAIVER))
    assert not evaluation.passed


def test_a_waiver_of_another_environment_is_not_read(tmp_path: Path) -> None:
    assert waivers_in(tmp_path, {**WAIVER, "environments": ["dev"]}) == []


def test_the_last_day_still_counts(graphs: Any, tmp_path: Path) -> None:
    graph, policy = single_zone(graphs)
    assert judged(graph, policy, waivers_in(tmp_path, {**WAIVER, "expires": TODAY})).passed


def test_facts_come_from_the_stacks_settings(tmp_path: Path) -> None:
    assert from_config({"aws:region": "eu-north-1"}, "x").environment == "prod"
    assert from_config({"aws:region": "eu-north-1"}, "x").region == "eu-north-1"
    with pytest.raises(SettingsError, match="environment"):
        from_config({"groundplan:environment": "qa"}, "x")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}")
    with pytest.raises(SettingsError, match=r"does not exist; stacks here: dev"):
        from_file(tmp_path, "prod")
    (tmp_path / "Pulumi.prod.yaml").write_text("a: 1")
    with pytest.raises(SettingsError, match="has no `config`"):
        from_file(tmp_path, "prod")
