"""MLflow on ECS Fargate: the tracking server that we run ourselves."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.components.database import Database, DatabaseArgs
from groundplan_infra.components.fargate import FargateArgs, run_service
from groundplan_infra.components.firewall import egress_anywhere, make_security_group
from groundplan_infra.components.load_balancer import LoadBalancer, LoadBalancerArgs
from groundplan_infra.components.network import Network
from groundplan_infra.components.storage import Storage
from groundplan_infra.context import Context
from groundplan_infra.sections import ServerTracking

PORT = 5000
# What infra/images/tracking/Dockerfile installs; the tag under which it is pushed.
IMAGE_TAG = "mlflow-3.17.2"


@dataclass(frozen=True)
class TrackingServerArgs:
    """`config`: the tracking section; `image`: what runs; the rest: where it runs and what it uses."""

    config: ServerTracking
    image: pulumi.Input[str]
    network: Network
    storage: Storage
    data_key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]


class TrackingServer(Component):
    """A service behind TLS. MLflow's own accounts guard it, for people (browser) and machines (user and password in the
    environment) alike; the first start makes the administrator's password and keeps it in `secret`. Clients move
    large artifacts straight to the bucket, by URLs that the server signs."""

    uri: pulumi.Output[str]
    secret: aws.secretsmanager.Secret

    def __init__(
        self, name: str, context: Context, args: TrackingServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("TrackingServer", name, context, opts)
        self.args = args
        network, config = args.network, args.config
        self.secret = aws.secretsmanager.Secret(
            self.child("admin"),
            description="User, password and session key of the tracking server; it writes them at its first start",
            kms_key_id=args.data_key_arn,
            recovery_window_in_days=30 if context.guarded else 7,
            tags=self.tags(self.child("admin"), Rotation="by hand: change it in MLflow and put it here"),
            opts=self.options(stateful=True),
        )
        self.security_group = make_security_group(self, name, network.vpc.id, "The tracking server")
        egress_anywhere(self, "out", self.security_group)
        self.database = Database(
            self.child("database"),
            context,
            DatabaseArgs(config, network.vpc.id, network.private_subnet_ids, args.data_key_arn),
            self.options(),
        )
        self.database.allow_from("server", self.security_group.id)
        self.balancer = LoadBalancer(
            self.child("balancer"),
            context,
            LoadBalancerArgs(
                vpc_id=network.vpc.id,
                vpc_cidr=network.args.config.cidr,
                public_subnet_ids=network.public_subnet_ids,
                private_subnet_ids=network.private_subnet_ids,
                allowed_cidrs=config.allowed_cidrs,
                domain=config.domain,
                certificate_arn=config.certificate_arn,
                hosted_zone_id=config.hosted_zone_id,
                logs_bucket=args.storage.logs.id,
                logs_bucket_ready=[args.storage.logs_policy],
                target_port=PORT,
                health_path="/health",
                web_acl=config.web_acl,
            ),
            self.options(),
        )
        self.balancer.allow_to("server", self.security_group)
        self.log_group = self.make_log_group(name, f"/groundplan/{context.prefix}/tracking", args.logs_key_arn)
        self.run()
        self.uri = pulumi.Output.from_input(self.balancer.url)
        self.register_outputs({"uri": self.uri, "secret_arn": self.secret.arn})

    def task_role(self, purpose: str, *statements: iam.Statement) -> aws.iam.Role:
        """A role of the task."""
        return self.make_role(self.child(purpose), iam.trust("ecs-tasks", self.context.account), *statements)

    def run(self) -> None:
        """Cluster, task and service."""
        args, config, network = self.args, self.args.config, self.args.network
        cluster = aws.ecs.Cluster(
            self.name,
            settings=[{"name": "containerInsights", "value": "enabled"}],
            tags=self.tags(self.name),
            opts=self.options(),
        )
        providers = aws.ecs.ClusterCapacityProviders(
            self.name,
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            opts=self.options(),
        )
        use_data_key = iam.use_key(args.data_key_arn)
        execution = self.task_role(
            "execution",
            *iam.run_container(self.images_arn(), self.log_group.arn),
            iam.allow("secretsmanager:GetSecretValue", self.database.secret_arn),
            use_data_key,
        )
        task = self.task_role(
            "task",
            *iam.read_write(args.storage.artifacts.arn),
            iam.allow(["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"], self.secret.arn),
            use_data_key,
        )
        run_service(
            self,
            FargateArgs(
                config=config,
                container="mlflow",
                image=args.image,
                port=PORT,
                environment=self.environment(),
                secrets={"DATABASE_PASSWORD": pulumi.Output.concat(self.database.secret_arn, ":password::")},
                log_group=self.log_group.name,
                cluster_arn=cluster.arn,
                execution_role_arn=execution.arn,
                task_role_arn=task.arn,
                subnet_ids=network.workload_subnet_ids,
                public_addresses=network.workloads_are_public,
                security_group=self.security_group,
                balancer=self.balancer,
                starting_seconds=120,
                after=[providers],
            ),
        )

    def images_arn(self) -> pulumi.Output[str]:
        """The repositories of this stack's registry."""
        context = self.context
        place = pulumi.Output.concat("arn:aws:ecr:", context.region, ":", context.account)
        return pulumi.Output.concat(place, f":repository/{context.prefix}/*")

    def environment(self) -> dict[str, pulumi.Input[str]]:
        """What entrypoint.py of the image is told."""
        args, database = self.args, self.database
        return {
            "DATABASE_HOST": database.instance.address,
            "DATABASE_NAME": database.instance.db_name,
            "DATABASE_USER": database.instance.username,
            "ARTIFACTS": pulumi.Output.concat("s3://", args.storage.artifacts.id),
            "ADMIN_SECRET": self.secret.arn,
            "ALLOWED_HOSTS": args.config.domain,
            "AWS_REGION": self.context.region,
            "PORT": str(PORT),
        }
