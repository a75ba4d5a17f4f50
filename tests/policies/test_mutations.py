"""Each control fires for the setting that it is about, and for nothing else; on our own stacks none fires."""

import copy
from typing import Any

import pytest

from breaking import Mutation, unknown_at
from conftest import infrastructure, judged, policy_for, standing
from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.evaluate import judges
from groundplan_policies.resource import Stack
from groundplan_policies.rule import RULES
from groundplan_policies.sources import SECRET_TEXT, from_graph
from mutations import MUTATIONS

CASES = [(control, number) for control, cases in MUTATIONS.items() for number in range(len(cases))]


def test_every_control_is_broken_once() -> None:
    assert set(MUTATIONS) == set(infrastructure())


@pytest.mark.parametrize("name", ["prod", "staging", "dev", "local", "kubernetes", "standalone"])
def test_our_stacks_keep_every_mandatory_control_without_a_waiver(graphs: Any, name: str) -> None:
    graph, facts = graphs(name)
    evaluation = judged(graph, policy_for(facts))
    assert evaluation.passed
    assert standing(evaluation, "undecided") == set()
    if facts.environment == "prod":
        assert standing(evaluation, "violated", "waived") == set()


@pytest.mark.parametrize("profile", ["baseline", "regulated", "eu-ai-act"])
def test_prod_is_clean_under_every_profile(graphs: Any, profile: str) -> None:
    graph, facts = graphs("prod")
    assert standing(judged(graph, policy_for(facts, profile=profile)), "violated", "undecided") == set()


def changed(graphs: Any, mutation: Mutation) -> tuple[dict[str, Any], Any, set[str]]:
    """The broken graph, its policy, and the controls that stood violated before."""
    graph, facts = graphs(mutation.base)
    policy = policy_for(facts)
    before = standing(judged(graph, policy), "violated", "undecided")
    broken = copy.deepcopy(graph)
    mutation.change(broken)
    return broken, policy, before


@pytest.mark.parametrize(("control", "number"), CASES)
def test_exactly_the_expected_controls_fire(graphs: Any, control: str, number: int) -> None:
    mutation = MUTATIONS[control][number]
    broken, policy, before = changed(graphs, mutation)
    evaluation = judged(broken, policy)
    assert standing(evaluation, "violated") - before == {control, *mutation.fires}
    assert standing(evaluation, "undecided") == set()


@pytest.mark.parametrize(("control", "number"), [case for case in CASES if MUTATIONS[case[0]][case[1]].place[2]])
def test_an_unknown_value_never_passes_in_silence(graphs: Any, control: str, number: int) -> None:
    mutation = MUTATIONS[control][number]
    graph, facts = graphs(mutation.base)
    unknown = copy.deepcopy(graph)
    if mutation.place[1] == "added" or mutation.unknown == "violated":
        mutation.change(unknown)
    unknown_at(unknown, mutation.place)
    result = next(each for each in judged(unknown, policy_for(facts)).results if each.control.id == control)
    assert result.status == mutation.unknown


REFERENCES = {
    "s3/": "bucket",
    "ec2/": "vpcId",
    "ecr/": "repository",
    "rds/": "name",
}
LOOKED_UP = [
    (control, number)
    for control, number in CASES
    if not MUTATIONS[control][number].place[2] and control in RULES.related and control != "rds-tls-required"
]


@pytest.mark.parametrize(("control", "number"), LOOKED_UP)
@pytest.mark.parametrize("depends", [True, False])
def test_an_unknown_reference_is_followed_by_what_it_depends_on(
    graphs: Any, control: str, number: int, depends: bool
) -> None:
    mutation = MUTATIONS[control][number]
    graph, facts = graphs(mutation.base)
    unknown = copy.deepcopy(graph)
    token = mutation.place[0]
    path = next(path for begin, path in REFERENCES.items() if token.startswith(begin))
    for each in unknown["resources"]:
        if each["type"] == f"aws:{token}":
            each["inputs"][path] = SECRET_TEXT
            if not depends:
                each["property_dependencies"].pop(path)
    result = next(each for each in judged(unknown, policy_for(facts)).results if each.control.id == control)
    assert result.status == ("satisfied" if depends else "undecided")


def failing(stack: Stack, control: str, policy: Any) -> list[Any]:
    """The resources that violate a control by themselves."""
    wanted = CATALOGUE.by_id[control]
    return [each for each in stack.resources if judges(wanted, each) and list(RULES.resource[control](each, policy))]


UNFIXABLE = {
    # What a fix cannot invent: an access list that should not be there, a balancer's bucket of logs, a listener
    # without a certificate, a trail's or a bucket's key, the network of a model, tags that nobody said.
    ("s3-bucket-owner-enforced", 1),
    ("lb-hardened", 2),
    ("lb-listener-tls", 1),
    ("s3-bucket-customer-key", 0),
    ("cloudtrail-hardened", 1),
}


@pytest.mark.parametrize(("control", "number"), [case for case in CASES if case[0] in RULES.fixes])
def test_a_fix_puts_right_what_the_rule_found_and_nothing_else(graphs: Any, control: str, number: int) -> None:
    broken, policy, _ = changed(graphs, MUTATIONS[control][number])
    stack = from_graph(broken)
    resources = failing(stack, control, policy)
    assert resources
    for resource in resources:
        given = copy.deepcopy(dict(resource.values))
        fixed = RULES.fixes[control](resource, policy)
        assert resource.values == given
        left = list(RULES.resource[control](type(resource)(**{**vars_of(resource), "values": fixed}), policy))
        assert bool(left) == ((control, number) in UNFIXABLE)
        assert set(given) <= set(fixed)


def vars_of(resource: Any) -> dict[str, Any]:
    """The fields of a resource."""
    return {name: getattr(resource, name) for name in resource.__dataclass_fields__}


def test_about_twenty_controls_can_be_put_right() -> None:
    assert len(RULES.fixes) >= 20
    for control in CATALOGUE.controls:
        assert ("The pack can" in control.remediation) == (control.id in RULES.fixes), control.id
