"""The plan of subnets: zones come and go, and nobody else moves."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from conftest import PlatformGraph
from groundplan_infra.components.network import plan_subnets
from groundplan_infra.sections import ZONE_LETTERS

ZONES = st.lists(st.sampled_from(ZONE_LETTERS), min_size=2, max_size=6, unique=True)
CIDRS = st.tuples(st.integers(0, 255), st.integers(16, 22)).map(
    lambda pair: str(ipaddress.IPv4Network(f"10.{pair[0]}.0.0/{pair[1]}"))
)


@given(CIDRS, ZONES, ZONES)
def test_a_zone_keeps_its_subnets_whatever_the_others_are(cidr: str, before: list[str], after: list[str]) -> None:
    old, new = plan_subnets(cidr, before), plan_subnets(cidr, after)
    assert all(old[zone] == new[zone] for zone in old.keys() & new.keys())


@given(CIDRS, ZONES)
def test_subnets_lie_inside_and_apart(cidr: str, zones: list[str]) -> None:
    ranges = [
        ipaddress.IPv4Network(each) for plan in plan_subnets(cidr, zones).values() for each in vars(plan).values()
    ]
    assert all(each.subnet_of(ipaddress.IPv4Network(cidr)) for each in ranges)
    assert not any(one.overlaps(other) for i, one in enumerate(ranges) for other in ranges[i + 1 :])


def test_a_third_zone_changes_no_resource_of_the_others(platform: PlatformGraph) -> None:
    two, three = platform(), platform(network={"zones": ["a", "b", "c"]})
    subnets = {each.urn: each.inputs for each in two.of_type("aws:ec2/subnet:Subnet")}
    assert subnets.items() <= {each.urn: each.inputs for each in three.of_type("aws:ec2/subnet:Subnet")}.items()


def test_nat_gateways_follow_the_choice(platform: PlatformGraph) -> None:
    for nat, count in (("none", 0), ("one", 1), ("per_zone", 2)):
        graph = platform(network={"nat": nat})
        assert len(graph.of_type("aws:ec2/natGateway:NatGateway")) == count
        private = [
            each for each in graph.of_type("aws:ec2/route:Route") if "natGatewayId" in each.property_dependencies
        ]
        assert len(private) == (2 if count else 0)
        mapped = {each.inputs["mapPublicIpOnLaunch"] for each in graph.of_type("aws:ec2/subnet:Subnet")}
        assert mapped == ({False} if count else {True, False})


def test_s3_is_always_reached_inside_and_other_services_by_choice(platform: PlatformGraph) -> None:
    plain = platform().of_type("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert [each.inputs["vpcEndpointType"] for each in plain] == ["Gateway"]
    assert len(plain[0].inputs["routeTableIds"]) == 3
    chosen = platform(network={"interface_endpoints": ["ecr.api", "logs"]}).of_type("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert sorted(each.inputs["vpcEndpointType"] for each in chosen) == ["Gateway", "Interface", "Interface"]


def test_the_default_group_is_empty_and_flows_are_logged(platform: PlatformGraph) -> None:
    graph = platform()
    (group,) = graph.of_type("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert not {"ingress", "egress"} & group.inputs.keys()
    (log,) = graph.of_type("aws:ec2/flowLog:FlowLog")
    assert log.inputs["trafficType"] == "ALL"
