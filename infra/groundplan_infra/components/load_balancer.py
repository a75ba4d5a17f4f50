"""A load balancer that speaks TLS only."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component
from groundplan_infra.components.firewall import let_in, make_security_group
from groundplan_infra.context import Context, fit

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
IDLE_SECONDS = 120
WEB_ACL_GROUPS = ["AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet"]


@dataclass(frozen=True)
class LoadBalancerArgs:
    """What stands in front of a service.

    `allowed_cidrs` may reach it besides `vpc_cidr`; with none it is internal. Without `certificate_arn` one is
    requested and validated in `hosted_zone_id`, which also gets the record of `domain`.
    """

    vpc_id: pulumi.Input[str]
    vpc_cidr: pulumi.Input[str]
    public_subnet_ids: pulumi.Input[list[pulumi.Output[str]]] | pulumi.Input[list[str]]
    private_subnet_ids: pulumi.Input[list[pulumi.Output[str]]] | pulumi.Input[list[str]]
    allowed_cidrs: list[str]
    domain: str
    certificate_arn: str
    hosted_zone_id: str
    logs_bucket: pulumi.Input[str]
    logs_bucket_ready: list[pulumi.Resource]
    target_port: int
    health_path: str
    web_acl: bool


class LoadBalancer(Component):
    """An application load balancer with one HTTPS listener; HTTP is not answered, or redirected where it is public."""

    target_group: aws.lb.TargetGroup
    listener: aws.lb.Listener

    def __init__(
        self, name: str, context: Context, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("LoadBalancer", name, context, opts)
        self.args = args
        self.internal = not args.allowed_cidrs
        self.security_group = self.firewall()
        # AWS takes 32 characters here, and the engine adds eight.
        short = fit(name, 24)
        self.balancer = aws.lb.LoadBalancer(
            short,
            load_balancer_type="application",
            internal=self.internal,
            subnets=args.private_subnet_ids if self.internal else args.public_subnet_ids,
            security_groups=[self.security_group.id],
            drop_invalid_header_fields=True,
            enable_deletion_protection=context.guarded,
            idle_timeout=IDLE_SECONDS,
            access_logs={"bucket": args.logs_bucket, "prefix": "alb", "enabled": True},
            tags=self.tags(name),
            opts=self.options(depends_on=args.logs_bucket_ready),
        )
        self.target_group = aws.lb.TargetGroup(
            short,
            vpc_id=args.vpc_id,
            port=args.target_port,
            protocol="HTTP",
            target_type="ip",
            deregistration_delay=30,
            health_check={"path": args.health_path, "matcher": "200", "interval": 15, "timeout": 5},
            tags=self.tags(name),
            opts=self.options(),
        )
        self.listener = aws.lb.Listener(
            self.child("https"),
            load_balancer_arn=self.balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=args.certificate_arn or self.certificate(),
            default_actions=[{"type": "forward", "target_group_arn": self.target_group.arn}],
            tags=self.tags(self.child("https")),
            opts=self.options(),
        )
        if not self.internal:
            self.redirect()
        if args.hosted_zone_id:
            self.record()
        if args.web_acl:
            self.firewall_rules()
        self.register_outputs({"url": self.url})

    @property
    def url(self) -> str:
        """Address of the service."""
        return f"https://{self.args.domain}"

    def firewall(self) -> aws.ec2.SecurityGroup:
        """HTTPS from those that may, onwards to the network only."""
        group = make_security_group(self, self.name, self.args.vpc_id, "HTTPS to the load balancer")
        sources: dict[str, pulumi.Input[str]] = {"network": self.args.vpc_cidr}
        sources |= {cidr.replace("/", "-"): cidr for cidr in self.args.allowed_cidrs}
        ports = [443] if self.internal else [443, 80]
        for source, cidr in sources.items():
            for port in ports:
                aws.vpc.SecurityGroupIngressRule(
                    self.child(str(port), source),
                    security_group_id=group.id,
                    cidr_ipv4=cidr,
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    description="HTTPS" if port == 443 else "HTTP, redirected to HTTPS",
                    opts=self.options(),
                )
        aws.vpc.SecurityGroupEgressRule(
            self.child("targets"),
            security_group_id=group.id,
            cidr_ipv4=self.args.vpc_cidr,
            ip_protocol="tcp",
            from_port=self.args.target_port,
            to_port=self.args.target_port,
            description="To the service",
            opts=self.options(),
        )
        return group

    def certificate(self) -> pulumi.Output[str]:
        """A certificate of the domain, validated by a record in its zone."""
        name = self.child("certificate")
        certificate = aws.acm.Certificate(
            name, domain_name=self.args.domain, validation_method="DNS", tags=self.tags(name), opts=self.options()
        )
        proof = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            name,
            zone_id=self.args.hosted_zone_id,
            name=proof.resource_record_name,
            type=proof.resource_record_type,
            records=[proof.resource_record_value],
            ttl=300,
            opts=self.options(),
        )
        return aws.acm.CertificateValidation(
            name,
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn],
            opts=self.options(),
        ).certificate_arn

    def record(self) -> None:
        """The domain leads to the load balancer."""
        aws.route53.Record(
            self.name,
            zone_id=self.args.hosted_zone_id,
            name=self.args.domain,
            type="A",
            aliases=[
                {"name": self.balancer.dns_name, "zone_id": self.balancer.zone_id, "evaluate_target_health": True}
            ],
            opts=self.options(),
        )

    def redirect(self) -> None:
        """Whoever types the address without https."""
        aws.lb.Listener(
            self.child("http"),
            load_balancer_arn=self.balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[
                {"type": "redirect", "redirect": {"protocol": "HTTPS", "port": "443", "status_code": "HTTP_301"}}
            ],
            tags=self.tags(self.child("http")),
            opts=self.options(),
        )

    def firewall_rules(self) -> None:
        """AWS WAF with the rules that AWS keeps."""
        acl = aws.wafv2.WebAcl(
            self.name,
            scope="REGIONAL",
            default_action={"allow": {}},
            rules=[
                {
                    "name": group,
                    "priority": priority,
                    "override_action": {"none": {}},
                    "statement": {"managed_rule_group_statement": {"name": group, "vendor_name": "AWS"}},
                    "visibility_config": {
                        "cloudwatch_metrics_enabled": True,
                        "sampled_requests_enabled": True,
                        "metric_name": group,
                    },
                }
                for priority, group in enumerate(WEB_ACL_GROUPS)
            ],
            visibility_config={
                "cloudwatch_metrics_enabled": True,
                "sampled_requests_enabled": True,
                "metric_name": self.name,
            },
            tags=self.tags(self.name),
            opts=self.options(),
        )
        aws.wafv2.WebAclAssociation(self.name, resource_arn=self.balancer.arn, web_acl_arn=acl.arn, opts=self.options())

    def allow_to(self, service: str, security_group: aws.ec2.SecurityGroup) -> None:
        """Let the load balancer reach a service."""
        let_in(
            self, service, security_group.id, self.security_group.id, self.args.target_port, "From the load balancer"
        )
