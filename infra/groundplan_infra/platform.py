"""The platform: what all repositories of an environment share, composed of components."""

from dataclasses import dataclass

import pulumi

from groundplan_infra import iam
from groundplan_infra.components.audit import Audit, AuditArgs
from groundplan_infra.components.backup import Backup, BackupArgs
from groundplan_infra.components.base import Component
from groundplan_infra.components.batch import Batch, BatchArgs
from groundplan_infra.components.ci_identity import CiIdentity, CiIdentityArgs
from groundplan_infra.components.cost_control import CostControl, CostControlArgs
from groundplan_infra.components.eks import Eks, EksArgs
from groundplan_infra.components.keys import Keys, KeysArgs
from groundplan_infra.components.managed_tracking import ManagedTracking, ManagedTrackingArgs
from groundplan_infra.components.network import Network, NetworkArgs
from groundplan_infra.components.observability import Alarm, Observability, ObservabilityArgs
from groundplan_infra.components.registry import ImageRegistry, ImageRegistryArgs
from groundplan_infra.components.serving import ServingCluster, ServingClusterArgs
from groundplan_infra.components.storage import Storage, StorageArgs
from groundplan_infra.components.tracking_server import IMAGE_TAG, TrackingServer, TrackingServerArgs
from groundplan_infra.config import PlatformConfig
from groundplan_infra.context import Context
from groundplan_infra.contract import VERSION, PlatformOutputs
from groundplan_infra.sections import BatchCompute, EksCompute, ExistingTracking, ServerTracking
from groundplan_infra.sections import ManagedTracking as ManagedTrackingConfig

LOW_STORAGE_BYTES = 2 * 1024**3
TRACKING_IMAGE = "tracking"


@dataclass(frozen=True)
class Clients:
    """What a client of the tracking server needs."""

    uri: pulumi.Input[str] = ""
    secret_arn: pulumi.Input[str] = ""


class Platform(Component):
    """All parts of a platform. The budget comes first: whatever costs by the hour depends on it."""

    outputs: PlatformOutputs

    def __init__(
        self, name: str, context: Context, config: PlatformConfig, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Platform", name, context, opts)
        self.config = config
        self.alarms: list[Alarm] = []
        self.backed_up: dict[str, pulumi.Input[str]] = {}

        cost = CostControl(self.child("cost"), context, CostControlArgs(config.budget), self.options())
        self.paid = self.options(depends_on=[cost.budget])
        self.keys = Keys(self.child("keys"), context, KeysArgs(30 if context.guarded else 7), self.options())
        self.storage = Storage(
            self.child("store"), context, StorageArgs(config.storage, self.keys.data.arn), self.options()
        )
        self.network = Network(
            self.child("network"), context, NetworkArgs(config.network, self.keys.logs.arn), self.paid
        )
        self.registry = ImageRegistry(
            self.child("images"),
            context,
            ImageRegistryArgs([TRACKING_IMAGE], self.keys.data.arn, force_delete=config.storage.force_destroy),
            self.options(),
        )
        self.observability = Observability(
            self.child("alarms"), context, ObservabilityArgs(config.observability, self.keys.logs.arn), self.options()
        )
        if config.audit.owner == "platform":
            Audit(
                self.child("audit"), context, AuditArgs(config.audit, self.storage, self.keys.logs.arn), self.options()
            )
        self.backed_up["S3"] = self.storage.models.arn
        clients = self.tracking()
        self.batch, self.eks = self.compute()
        self.serving = self.serving_cluster()
        self.ci = self.ci_identity()
        if config.backup.enabled:
            backup = BackupArgs(config.backup, self.backed_up, self.keys.data.arn)
            Backup(self.child("backup"), context, backup, self.paid)
        self.observability.watch(self.alarms)
        self.outputs = self.make_outputs(clients)
        self.register_outputs({})

    def tracking(self) -> Clients:
        """The tracking server of the chosen kind; the same outputs for all."""
        config, name = self.config.tracking, self.child("tracking")
        if isinstance(config, ManagedTrackingConfig):
            app = ManagedTracking(
                name,
                self.context,
                ManagedTrackingArgs(config, self.storage.artifacts, self.keys.data.arn),
                self.paid,
            )
            return Clients(uri=app.uri)
        if isinstance(config, ServerTracking):
            repository = self.registry.repositories[TRACKING_IMAGE]
            image = config.image or pulumi.Output.concat(repository.repository_url, ":", IMAGE_TAG)
            server = TrackingServer(
                name,
                self.context,
                TrackingServerArgs(config, image, self.network, self.storage, self.keys.data.arn, self.keys.logs.arn),
                self.paid,
            )
            self.alarms += server_alarms(server)
            self.backed_up["RDS"] = server.database.instance.arn
            return Clients(uri=server.uri, secret_arn=server.secret.arn)
        return Clients(uri=config.uri) if isinstance(config, ExistingTracking) else Clients()

    def compute(self) -> tuple[Batch | None, Eks | None]:
        """The cluster of the chosen kind."""
        config = self.config.compute
        if isinstance(config, BatchCompute):
            batch = BatchArgs(config, self.network, self.keys.logs.arn)
            return Batch(self.child("batch"), self.context, batch, self.paid), None
        if isinstance(config, EksCompute):
            eks = EksArgs(config, self.network, self.keys.data.arn, self.keys.logs.arn)
            return None, Eks(self.child("eks"), self.context, eks, self.paid)
        return None, None

    def serving_cluster(self) -> ServingCluster | None:
        """The cluster of prediction services, where it is ECS."""
        if self.config.serving.kind != "ecs":
            return None
        spot = not self.context.guarded
        args = ServingClusterArgs(self.network, self.keys.logs.arn, spot)
        return ServingCluster(self.child("serving"), self.context, args, self.paid)

    def ci_identity(self) -> CiIdentity | None:
        """Roles of CI: it pushes images and data, starts jobs, and updates services of this platform."""
        if self.config.ci.provider == "none":
            return None
        storage = self.storage
        statements = [
            *iam.read_write(storage.dvc.arn),
            *iam.read_write(storage.artifacts.arn),
            *iam.read_write(storage.models.arn),
            iam.use_key(self.keys.data.arn),
            iam.allow("ecr:GetAuthorizationToken", "*"),
        ]
        return CiIdentity(self.child("ci"), self.context, CiIdentityArgs(self.config.ci, statements), self.options())

    def make_outputs(self, clients: Clients) -> PlatformOutputs:
        """The contract with projects."""
        queues = self.batch.queues if self.batch else {}
        gpu = queues.get("gpu")
        workspace = self.observability.workspace
        return PlatformOutputs(
            contract=VERSION,
            region=self.context.region,
            account=self.context.account,
            tracking_uri=clients.uri,
            tracking_secret_arn=clients.secret_arn,
            dvc_bucket=self.storage.dvc.id,
            artifacts_bucket=self.storage.artifacts.id,
            models_bucket=self.storage.models.id,
            data_key_arn=self.keys.data.arn,
            logs_key_arn=self.keys.logs.arn,
            vpc_id=self.network.vpc.id,
            vpc_cidr=self.network.args.config.cidr,
            public_subnet_ids=pulumi.Output.all(*self.network.public_subnet_ids),
            private_subnet_ids=pulumi.Output.all(*self.network.private_subnet_ids),
            workload_subnet_ids=pulumi.Output.all(*self.network.workload_subnet_ids),
            workloads_are_public=self.network.workloads_are_public,
            logs_bucket=self.storage.logs.id,
            cpu_queue_arn=queues["cpu"].arn if queues else "",
            gpu_queue_arn=gpu.arn if gpu else "",
            jobs_log_group=self.batch.log_group.name if self.batch else "",
            serving_cluster_arn=self.serving.cluster.arn if self.serving else "",
            eks_cluster=self.eks.cluster.name if self.eks else "",
            alarm_topic_arn=self.observability.topic.arn,
            ci_provider_arn=self.ci.provider_arn if self.ci else "",
            metrics_endpoint=workspace.prometheus_endpoint if workspace else "",
        )


def server_alarms(server: TrackingServer) -> list[Alarm]:
    """What must not happen to the tracking server."""
    balancer = server.balancer.balancer.arn_suffix
    target = server.balancer.target_group.arn_suffix
    database = {"DBInstanceIdentifier": server.database.instance.identifier}
    return [
        Alarm(
            "tracking-unhealthy",
            "The tracking server has no healthy task",
            "AWS/ApplicationELB",
            "HealthyHostCount",
            {"LoadBalancer": balancer, "TargetGroup": target},
            threshold=1,
            comparison="LessThanThreshold",
            statistic="Minimum",
            missing="breaching",
        ),
        Alarm(
            "tracking-errors",
            "The tracking server answers with errors",
            "AWS/ApplicationELB",
            "HTTPCode_Target_5XX_Count",
            {"LoadBalancer": balancer, "TargetGroup": target},
            threshold=10,
            statistic="Sum",
        ),
        Alarm(
            "database-storage",
            "The tracking database is nearly full",
            "AWS/RDS",
            "FreeStorageSpace",
            database,
            threshold=LOW_STORAGE_BYTES,
            comparison="LessThanThreshold",
            statistic="Minimum",
        ),
        Alarm(
            "database-cpu",
            "The tracking database is busy",
            "AWS/RDS",
            "CPUUtilization",
            database,
            threshold=90,
            periods=3,
        ),
    ]
