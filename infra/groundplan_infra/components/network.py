"""The private network: subnets by zone, routes, endpoints, flow logs."""

import ipaddress
from dataclasses import dataclass
from itertools import islice

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.context import Context
from groundplan_infra.sections import ZONE_LETTERS
from groundplan_infra.sections import Network as NetworkConfig

ANYWHERE = "0.0.0.0/0"
# A network is cut into 16 blocks: private subnets take blocks 0 to 5 and public ones 8 to 13, by the zone's letter.
BLOCK_BITS = 4
FIRST_PUBLIC_BLOCK = 8


@dataclass(frozen=True)
class ZonePlan:
    """The ranges of one zone."""

    private: str
    public: str


def plan_subnets(cidr: str, zones: list[str]) -> dict[str, ZonePlan]:
    """Ranges by zone letter.

    They depend on the letter alone, so that a zone can be added or removed beside the others.
    """
    blocks = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=BLOCK_BITS))
    places = {zone: ZONE_LETTERS.index(zone) for zone in zones}
    return {
        zone: ZonePlan(str(blocks[place]), str(blocks[FIRST_PUBLIC_BLOCK + place])) for zone, place in places.items()
    }


@dataclass(frozen=True)
class NetworkArgs:
    """`config`: the stack's network section; `logs_key_arn`: key of the flow logs."""

    config: NetworkConfig
    logs_key_arn: pulumi.Input[str]


class Network(Component):
    """A VPC. Jobs and services run in `workload_subnet_ids`: private ones where a NAT leads out, else public ones
    without any inbound rule."""

    vpc: aws.ec2.Vpc
    private_subnet_ids: list[pulumi.Output[str]]
    public_subnet_ids: list[pulumi.Output[str]]

    def __init__(
        self, name: str, context: Context, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Network", name, context, opts)
        self.args = args
        config = args.config
        self.vpc = aws.ec2.Vpc(
            self.child("vpc"),
            cidr_block=config.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self.tags(self.child("vpc")),
            opts=self.options(),
        )
        aws.ec2.DefaultSecurityGroup(
            self.child("default"), vpc_id=self.vpc.id, tags=self.tags(self.child("default-unused")), opts=self.options()
        )
        self.gateway = aws.ec2.InternetGateway(
            self.child("internet"),
            vpc_id=self.vpc.id,
            tags=self.tags(self.child("internet")),
            opts=self.options(),
        )
        plan = plan_subnets(config.cidr, list(config.zones))
        public = {zone: self.subnet("public", zone, ranges.public) for zone, ranges in plan.items()}
        private = {zone: self.subnet("private", zone, ranges.private) for zone, ranges in plan.items()}
        self.public_subnet_ids = [subnet.id for subnet in public.values()]
        self.private_subnet_ids = [subnet.id for subnet in private.values()]
        tables = self.routes(public, private)
        self.endpoints(tables)
        self.flow_log()
        self.register_outputs({"vpc_id": self.vpc.id})

    @property
    def workloads_are_public(self) -> bool:
        """Whether jobs and services get a public address, for want of a NAT."""
        return self.args.config.nat == "none"

    @property
    def workload_subnet_ids(self) -> list[pulumi.Output[str]]:
        """Where jobs and services run."""
        return self.public_subnet_ids if self.workloads_are_public else self.private_subnet_ids

    def subnet(self, tier: str, zone: str, cidr: str) -> aws.ec2.Subnet:
        """A subnet; addresses are public only where jobs have no NAT to get out by."""
        name = self.child(tier, zone)
        return aws.ec2.Subnet(
            name,
            vpc_id=self.vpc.id,
            availability_zone=f"{self.context.region}{zone}",
            cidr_block=cidr,
            map_public_ip_on_launch=tier == "public" and self.workloads_are_public,
            tags=self.tags(name, Tier=tier),
            opts=self.options(),
        )

    def routes(self, public: dict[str, aws.ec2.Subnet], private: dict[str, aws.ec2.Subnet]) -> list[aws.ec2.RouteTable]:
        """Route tables: one for the public subnets, one for each private subnet, so that each may have its own NAT."""
        out = self.route_table("public", list(public.items()))
        aws.ec2.Route(
            self.child("public", "internet"),
            route_table_id=out.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=self.gateway.id,
            opts=self.options(),
        )
        tables = {zone: self.route_table(f"private-{zone}", [(zone, subnet)]) for zone, subnet in private.items()}
        with_nat = {"none": 0, "one": 1, "per_zone": len(public)}[self.args.config.nat]
        gateways = {zone: self.nat(zone, subnet) for zone, subnet in islice(public.items(), with_nat)}
        for zone, table in tables.items():
            if gateways:
                gateway = gateways.get(zone) or next(iter(gateways.values()))
                aws.ec2.Route(
                    self.child("private", zone, "nat"),
                    route_table_id=table.id,
                    destination_cidr_block=ANYWHERE,
                    nat_gateway_id=gateway.id,
                    opts=self.options(),
                )
        return [out, *tables.values()]

    def route_table(self, name: str, subnets: list[tuple[str, aws.ec2.Subnet]]) -> aws.ec2.RouteTable:
        """A table and the subnets that use it."""
        table = aws.ec2.RouteTable(
            self.child(name), vpc_id=self.vpc.id, tags=self.tags(self.child(name)), opts=self.options()
        )
        for zone, subnet in subnets:
            aws.ec2.RouteTableAssociation(
                self.child(name, zone) if name == "public" else self.child(name),
                route_table_id=table.id,
                subnet_id=subnet.id,
                opts=self.options(),
            )
        return table

    def nat(self, zone: str, subnet: aws.ec2.Subnet) -> aws.ec2.NatGateway:
        """A NAT gateway and its address."""
        name = self.child("nat", zone)
        address = aws.ec2.Eip(name, domain="vpc", tags=self.tags(name), opts=self.options(depends_on=[self.gateway]))
        return aws.ec2.NatGateway(
            name, subnet_id=subnet.id, allocation_id=address.id, tags=self.tags(name), opts=self.options()
        )

    def endpoints(self, tables: list[aws.ec2.RouteTable]) -> None:
        """S3 costs nothing through a gateway endpoint; other services by choice."""
        aws.ec2.VpcEndpoint(
            self.child("s3"),
            vpc_id=self.vpc.id,
            service_name=f"com.amazonaws.{self.context.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            tags=self.tags(self.child("s3")),
            opts=self.options(),
        )
        services = self.args.config.interface_endpoints
        if not services:
            return
        group = aws.ec2.SecurityGroup(
            self.child("endpoints"),
            vpc_id=self.vpc.id,
            description="HTTPS from the network to AWS services",
            tags=self.tags(self.child("endpoints")),
            opts=self.options(),
        )
        aws.vpc.SecurityGroupIngressRule(
            self.child("endpoints", "https"),
            security_group_id=group.id,
            cidr_ipv4=self.args.config.cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            description="HTTPS from the network",
            opts=self.options(),
        )
        for service in services:
            name = self.child(service.replace(".", "-"))
            aws.ec2.VpcEndpoint(
                name,
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{self.context.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=self.private_subnet_ids,
                security_group_ids=[group.id],
                private_dns_enabled=True,
                tags=self.tags(name),
                opts=self.options(),
            )

    def flow_log(self) -> None:
        """Who talked to whom, in a log group."""
        name = self.child("flow")
        group = self.make_log_group(name, f"/groundplan/{self.context.prefix}/flow", self.args.logs_key_arn)
        write = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"]
        writing = iam.allow(write, [group.arn, pulumi.Output.concat(group.arn, ":*")])
        role = self.make_role(name, iam.trust("vpc-flow-logs", self.context.account), writing)
        aws.ec2.FlowLog(
            name,
            vpc_id=self.vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=600,
            tags=self.tags(name),
            opts=self.options(),
        )
