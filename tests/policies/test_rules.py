"""Rules on single resources: what the real graphs do not contain, and what must not be taken for a violation."""

import copy
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from conftest import judged, policy_for
from groundplan_policies.resource import Resource, Section, Stack, UndecidedError, Unknown
from groundplan_policies.rule import RULES
from groundplan_policies.rules.containers import is_secret
from groundplan_policies.rules.machines import vcpus
from groundplan_policies.settings import StackFacts
from groundplan_policies.sources import from_graph

POLICY = policy_for(StackFacts(name="x", environment="prod", region="eu-west-1", owner="team"))


def found(control: str, token: str, inputs: dict[str, Any], **more: Any) -> list[str]:
    """What a rule of one resource says of it."""
    resource = Resource(inputs, urn="urn::r", type=f"aws:{token}", name="r", **more)
    if control in RULES.resource:
        return list(RULES.resource[control](resource, POLICY))
    return list(RULES.related[control](resource, Stack([resource]), POLICY))


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DB_PASSWORD", "hunter2", True),
        ("OPENAI_API_KEY", "sk-abc", True),
        ("apikey", "abc", True),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI", True),
        ("NOTE", "AKIAIOSFODNN7EXAMPLE", True),
        ("URL", "https://user:pass@example.com", True),
        ("KEY", "-----BEGIN RSA PRIVATE KEY-----", True),
        ("ADMIN_SECRET", "arn:aws:secretsmanager:eu-west-1:1:secret:x", False),
        ("DB_PASSWORD_FILE", "/run/secrets/db", False),
        ("TOKEN", "/run/secrets/token", False),
        ("USE_TOKEN", "true", False),
        ("MAX_TOKENS", "4096", False),
        ("TOKENIZER", "bert-base", False),
        ("URL", "https://example.com/a:b@c", False),
        ("SECRET", "", False),
    ],
)
def test_what_counts_as_a_secret(name: str, value: str, secret: bool) -> None:
    environment = [{"name": name, "value": value}]
    inputs = {"containerDefinitions": json.dumps([{"name": "a", "environment": environment}])}
    messages = found("no-plain-secrets-in-environment", "ecs/taskDefinition:TaskDefinition", inputs)
    assert bool(messages) == secret
    assert value == "" or all(value not in message for message in messages)
    assert is_secret(name, value or "x") or not secret


@pytest.mark.parametrize(
    ("inputs", "wrong"),
    [
        ({"cidrIpv4": "0.0.0.0/0", "fromPort": 443, "toPort": 443, "ipProtocol": "tcp"}, False),
        ({"cidrIpv4": "10.0.0.0/8", "fromPort": 22, "toPort": 22, "ipProtocol": "tcp"}, False),
        ({"referencedSecurityGroupId": "sg-1", "ipProtocol": "-1"}, False),
        ({"cidrIpv4": "0.0.0.0/0", "fromPort": 443, "toPort": 8443, "ipProtocol": "tcp"}, True),
        ({"cidrIpv6": "::/0", "fromPort": 80, "toPort": 80, "ipProtocol": "tcp"}, True),
    ],
)
def test_only_https_may_be_open(inputs: dict[str, Any], wrong: bool) -> None:
    token = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    assert bool(found("security-group-restricted-ingress", token, inputs)) == wrong


def test_egress_rules_of_the_older_type_are_no_ingress() -> None:
    inputs = {"type": "egress", "cidrBlocks": ["0.0.0.0/0"], "protocol": "-1", "fromPort": 0, "toPort": 0}
    token = "ec2/securityGroupRule:SecurityGroupRule"
    assert found("security-group-restricted-ingress", token, inputs) == []
    assert found("security-group-restricted-ingress", token, {**inputs, "type": "ingress"}) != []


def test_a_listener_that_only_redirects_needs_no_tls() -> None:
    redirect = {"type": "redirect", "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}
    inputs = {"protocol": "HTTP", "port": 80, "defaultActions": [redirect]}
    assert found("lb-listener-tls", "lb/listener:Listener", inputs) == []
    inputs["defaultActions"].append({"type": "forward"})
    assert found("lb-listener-tls", "lb/listener:Listener", inputs) != []


def test_an_asymmetric_key_cannot_be_rotated() -> None:
    inputs = {"customerMasterKeySpec": "RSA_4096", "deletionWindowInDays": 30}
    assert found("kms-key-rotation", "kms/key:Key", inputs) == []


@pytest.mark.parametrize(
    ("machine", "count"), [("g6.xlarge", 4), ("p5.48xlarge", 192), ("g5.2xlarge", 8), ("g4dn.metal", 192)]
)
def test_vcpus_follow_the_size(machine: str, count: int) -> None:
    assert vcpus(machine) == count


def test_a_login_before_every_listener_guards_mlflow() -> None:
    task = Resource(
        {"containerDefinitions": json.dumps([{"name": "mlflow", "image": "x", "command": ["mlflow", "server"]}])},
        urn="urn::task",
        type="aws:ecs/taskDefinition:TaskDefinition",
    )
    service = Resource(
        {},
        urn="urn::service",
        type="aws:ecs/service:Service",
        dependencies={"taskDefinition": ["urn::task"], "loadBalancers": ["urn::group"]},
    )
    group = Resource({}, urn="urn::group", type="aws:lb/targetGroup:TargetGroup")

    def verdict(*actions: str) -> list[str]:
        listener = Resource(
            {"defaultActions": [{"type": each} for each in actions]},
            urn="urn::listener",
            type="aws:lb/listener:Listener",
            dependencies={"defaultActions": ["urn::group"]},
        )
        return list(RULES.related["mlflow-authenticated"](task, Stack([task, service, group, listener]), POLICY))

    assert verdict("authenticate-oidc", "forward") == []
    assert verdict("authenticate-cognito", "forward") == []
    assert verdict("forward") != []


def test_replication_out_of_the_eu_is_found_by_the_target_bucket() -> None:
    copy = Resource({"region": "us-east-1"}, urn="urn::copy", type="aws:s3/bucket:Bucket")
    replication = Resource(
        {"rules": [{"destination": {"bucket": Unknown()}}]},
        urn="urn::replication",
        type="aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        dependencies={"rules": ["urn::copy"]},
    )
    rule = RULES.related["training-data-residency"]
    assert list(rule(replication, Stack([copy, replication]), POLICY)) == [
        "data of the EU is copied to, or processed in, us-east-1"
    ]


def test_the_older_bucket_type_is_judged_as_the_newer() -> None:
    from groundplan_policies.resource import normal_type

    assert normal_type("aws:s3/bucketV2:BucketV2") == "aws:s3/bucket:Bucket"
    assert normal_type("aws:s3/bucketVersioningV2:BucketVersioningV2") == "aws:s3/bucketVersioning:BucketVersioning"
    assert normal_type("aws:wafv2/webAcl:WebAcl") == "aws:wafv2/webAcl:WebAcl"


def test_reviewed_types_may_be_patterns() -> None:
    facts = StackFacts(environment="prod")
    random = Resource({}, urn="urn::r", type="random:index/randomId:RandomId", name="r")
    rule = RULES.resource["resource-type-reviewed"]
    assert list(rule(random, policy_for(facts)))
    assert not list(rule(random, policy_for(facts, parameters={"reviewed_types": ["random:*"]})))


class TestSection:
    """Values that may not be known."""

    section = Section({"a": {"b": [{"c": 1}, {"c": Unknown()}], "d": Unknown()}, "text": "{", "none": None})

    def test_what_is_there(self) -> None:
        assert self.section.get("a.b.c") == 1
        assert self.section.get("a.x", 7) == 7
        assert self.section.get("none", 7) == 7
        assert self.section.has("a.d")
        assert not self.section.has("none")

    @pytest.mark.parametrize("path", ["a.d", "a.d.e", "a.b", "a"])
    def test_what_is_not_known(self, path: str) -> None:
        with pytest.raises(UndecidedError, match=path):
            self.section.get(path)

    def test_places_of_nested_sections(self) -> None:
        second = self.section.sections("a.b")[1]
        with pytest.raises(UndecidedError, match=r"a\.b\[1\]\.c"):
            second.get("c")

    def test_a_text_that_is_no_json_cannot_be_judged(self) -> None:
        with pytest.raises(UndecidedError, match="text, which is not JSON"):
            self.section.json("text")


STRANGE: list[Any] = [None, "", -1, "text", "443", True, [], {}, [{}], [1], {"Statement": "x"}, "[1]", "{", Unknown()]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places in nested inputs."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [place for key, each in items for place in [(*at, key), *places(each, (*at, key))]]


@pytest.mark.parametrize("name", ["prod", "kubernetes", "standalone"])
def test_inputs_of_any_shape_are_judged_or_undecided(graphs: Any, name: str) -> None:
    graph, facts = graphs(name)
    stack, policy, draw = from_graph(graph), policy_for(facts), random.Random(7)
    for resource in stack.resources:
        for place in draw.sample(places(resource.values), min(3, len(places(resource.values)))):
            values = copy.deepcopy(dict(resource.values))
            inner: Any = values
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = draw.choice(STRANGE)
            strange = replace(resource, values=values)
            others = [strange if each is resource else each for each in stack.resources]
            assert judged(Stack(others), policy).results


def test_ports_may_be_written_as_texts() -> None:
    token = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    open_rule = {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp"}
    control = "security-group-restricted-ingress"
    assert found(control, token, {**open_rule, "fromPort": "443", "toPort": "443"}) == []
    assert found(control, token, {**open_rule, "fromPort": "22", "toPort": "22"}) == ["port 22 open to everyone"]
    with pytest.raises(UndecidedError, match="fromPort, which is no number"):
        found(control, token, {**open_rule, "fromPort": "ssh"})
