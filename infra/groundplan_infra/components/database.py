"""PostgreSQL for the tracking server."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component
from groundplan_infra.components.firewall import let_in, make_security_group
from groundplan_infra.context import Context
from groundplan_infra.sections import ServerTracking

ENGINE_VERSION = "17"
PORT = 5432
GROWTH = 5


@dataclass(frozen=True)
class DatabaseArgs:
    """`config`: size, standby and backups; `subnet_ids`: private subnets; `key_arn`: key of storage and password."""

    config: ServerTracking
    vpc_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    key_arn: pulumi.Input[str]
    database: str = "mlflow"


class Database(Component):
    """RDS: private, encrypted, TLS only, the password made and kept by AWS. Clients join by `allow_from`."""

    instance: aws.rds.Instance
    secret_arn: pulumi.Output[str]

    def __init__(
        self, name: str, context: Context, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Database", name, context, opts)
        config = args.config
        self.security_group = make_security_group(self, name, args.vpc_id, "PostgreSQL, for those that are let in")
        subnets = aws.rds.SubnetGroup(name, subnet_ids=args.subnet_ids, tags=self.tags(name), opts=self.options())
        parameters = aws.rds.ParameterGroup(
            name,
            family=f"postgres{ENGINE_VERSION}",
            description="TLS only",
            parameters=[{"name": "rds.force_ssl", "value": "1"}],
            tags=self.tags(name),
            opts=self.options(),
        )
        self.instance = aws.rds.Instance(
            name,
            engine="postgres",
            engine_version=ENGINE_VERSION,
            instance_class=config.database_class,
            allocated_storage=config.database_gb,
            max_allocated_storage=config.database_gb * GROWTH,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            db_name=args.database,
            username="mlflow",
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.key_arn,
            port=PORT,
            multi_az=config.multi_az,
            publicly_accessible=False,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[self.security_group.id],
            parameter_group_name=parameters.name,
            backup_retention_period=config.backup_days,
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
            deletion_protection=context.guarded,
            skip_final_snapshot=not context.guarded,
            final_snapshot_identifier=f"{name}-final" if context.guarded else None,
            enabled_cloudwatch_logs_exports=["postgresql"],
            tags=self.tags(name),
            opts=self.options(stateful=True),
        )
        self.secret_arn = self.instance.master_user_secrets.apply(
            lambda secrets: (secrets[0].secret_arn or "") if secrets else ""
        )
        self.register_outputs({"address": self.instance.address})

    def allow_from(self, client: str, security_group_id: pulumi.Input[str]) -> None:
        """Let the members of a security group connect."""
        let_in(self, client, self.security_group.id, security_group_id, PORT, f"PostgreSQL from the {client}")
