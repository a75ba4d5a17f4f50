"""Real graphs, captured once, and what the tests do with them."""

import datetime
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.evaluate import Evaluation, evaluate
from groundplan_policies.resource import Stack
from groundplan_policies.settings import Policy, PolicyFile, StackFacts, make_policy
from groundplan_policies.sources import from_graph
from groundplan_policies.waivers import Waiver

warnings.filterwarnings("ignore", category=DeprecationWarning)

from groundplan_infra.config import PlatformConfig, ProjectConfig, parse  # noqa: E402
from groundplan_infra.graph import capture  # noqa: E402
from groundplan_infra.program import build_platform, build_project  # noqa: E402
from groundplan_infra.settings import read_settings  # noqa: E402
from groundplan_infra.stacks import graph_of  # noqa: E402

INFRA = Path(__file__).parents[2] / "infra"
TODAY = datetime.date(2026, 11, 21)
Graph = dict[str, Any]

COMMON: dict[str, Any] = {
    "name": "churn",
    "environment": "prod",
    "region": "eu-west-1",
    "owner": "team",
    "budget": {"monthly_usd": 50, "emails": ["team@example.com"]},
}
KUBERNETES: dict[str, Any] = {
    **COMMON,
    "compute": {
        "kind": "eks",
        "admin_role_arns": ["arn:aws:iam::123456789012:role/admin"],
        "gpu": {"max_vcpus": 8, "quota_vcpus": 8},
    },
    "serving": {"kind": "eks"},
    "network": {"nat": "one"},
    "observability": {"log_days": 365},
    "storage": {"model_retention_days": 180},
}
STANDALONE: dict[str, Any] = {
    **COMMON,
    "platform": "standalone",
    "repository": "acme/churn",
    "ci_provider": "github",
    "standalone": {
        "tracking": {"kind": "managed"},
        "network": {"nat": "one"},
        "observability": {"log_days": 365},
        "storage": {"model_retention_days": 180},
        "serving": {"kind": "ecs"},
        "compute": {"kind": "batch", "gpu": {"max_vcpus": 8, "quota_vcpus": 8}},
    },
    "service": {"domain": "churn.example.com", "hosted_zone_id": "Z1"},
}


def captured(name: str) -> tuple[Graph, StackFacts]:
    """A graph by name: one of our environments, `kubernetes` or `standalone`; with what its settings say."""
    if name == "kubernetes":
        config = parse(PlatformConfig, KUBERNETES, name)
        return asdict(capture(lambda: build_platform(config))), StackFacts.model_validate(KUBERNETES)
    if name == "standalone":
        project = parse(ProjectConfig, STANDALONE, name)
        graph = capture(lambda: build_project(project), project="churn")
        return asdict(graph), StackFacts.model_validate(STANDALONE)
    file = INFRA / f"Pulumi.{name}.yaml"
    return asdict(graph_of(file)), StackFacts.model_validate(read_settings(file))


@pytest.fixture(scope="session")
def graphs() -> Callable[[str], tuple[Graph, StackFacts]]:
    """The graphs, each captured once."""
    known: dict[str, tuple[Graph, StackFacts]] = {}

    def get(name: str) -> tuple[Graph, StackFacts]:
        if name not in known:
            known[name] = captured(name)
        return known[name]

    return get


def policy_for(facts: StackFacts, **settings: Any) -> Policy:
    """The policy of a stack under some settings of policy.yaml."""
    return make_policy(PolicyFile.model_validate(settings), facts)


def judged(graph: Graph | Stack, policy: Policy, waivers: list[Waiver] | None = None) -> Evaluation:
    """How a graph stands."""
    stack = graph if isinstance(graph, Stack) else from_graph(graph)
    return evaluate(stack, policy, waivers or [], TODAY)


def standing(evaluation: Evaluation, *statuses: str) -> set[str]:
    """The controls that stand so."""
    return {result.control.id for result in evaluation.results if result.status in statuses}


def infrastructure() -> list[str]:
    """The controls that are about infrastructure."""
    return [control.id for control in CATALOGUE.controls if control.scope != "repository"]
