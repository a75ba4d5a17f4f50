"""What a stack can be told: the keys of Pulumi.<env>.yaml, typed, with the rules that hold between them.

Every key stands under the namespace `groundplan`, whatever the Pulumi project is called. `PlatformConfig` configures
the platform program, `ProjectConfig` a repository's own program.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

NAMESPACE = "groundplan"
# Regions of the standard partition, as AWS lists them; a short code stands in the names of resources.
REGIONS = {
    "af-south-1": "afs1",
    "ap-east-1": "ape1",
    "ap-northeast-1": "apne1",
    "ap-northeast-2": "apne2",
    "ap-northeast-3": "apne3",
    "ap-south-1": "aps1",
    "ap-south-2": "aps2",
    "ap-southeast-1": "apse1",
    "ap-southeast-2": "apse2",
    "ap-southeast-3": "apse3",
    "ap-southeast-4": "apse4",
    "ca-central-1": "cac1",
    "ca-west-1": "caw1",
    "eu-central-1": "euc1",
    "eu-central-2": "euc2",
    "eu-north-1": "eun1",
    "eu-south-1": "eus1",
    "eu-south-2": "eus2",
    "eu-west-1": "euw1",
    "eu-west-2": "euw2",
    "eu-west-3": "euw3",
    "il-central-1": "ilc1",
    "me-central-1": "mec1",
    "me-south-1": "mes1",
    "sa-east-1": "sae1",
    "us-east-1": "use1",
    "us-east-2": "use2",
    "us-west-1": "usw1",
    "us-west-2": "usw2",
}
# The planner cuts a network into blocks for six zones; no region has more.
ZONE_LETTERS = "abcdef"

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Environment = Literal["local", "dev", "staging", "prod"]
DataClassification = Literal["public", "internal", "confidential", "restricted"]


class ConfigError(Exception):
    """The configuration is wrong; the message names each key and what to do."""


class Section(BaseModel):
    """A part of the configuration; a key that is not known is an error."""

    # The engine drops the quotes of a text that looks like a number.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Network(Section):
    """The private network."""

    cidr: str = Field("10.20.0.0/16", description="IPv4 range of the network, /16 to /22, in private address space.")
    zones: list[Literal["a", "b", "c", "d", "e", "f"]] = Field(
        ["a", "b"],
        min_length=2,
        description="Letters of the availability zones. Adding one leaves the subnets of the others where they are.",
    )
    nat: Literal["none", "one", "per_zone"] = Field(
        "none", description="NAT gateways, 33 USD a month each. With none, jobs run in public subnets without inbound."
    )
    interface_endpoints: list[str] = Field(
        [], description="AWS services reached inside the network, as `ecr.api`; 7 USD a month for each in each zone."
    )
    peer_cidrs: list[str] = Field(
        [], description="Ranges of networks that this one is to be joined with; none may overlap."
    )

    @model_validator(mode="after")
    def check(self) -> Self:
        ranges = [parse_cidr("cidr", self.cidr), *(parse_cidr("peer_cidrs", cidr) for cidr in self.peer_cidrs)]
        if not 16 <= ranges[0].prefixlen <= 22:
            raise ValueError(f"cidr {self.cidr} must be a /16 to a /22")
        if not ranges[0].is_private:
            raise ValueError(f"cidr {self.cidr} is not private address space (10/8, 172.16/12, 192.168/16)")
        for number, one in enumerate(ranges):
            for other in ranges[number + 1 :]:
                if one.overlaps(other):
                    raise ValueError(f"ranges {one} and {other} overlap; give each network one of its own")
        if len(set(self.zones)) != len(self.zones):
            raise ValueError(f"zones {self.zones} names one twice")
        return self


class Storage(Section):
    """Buckets for data, artifacts, released models and logs."""

    model_retention_days: int = Field(
        0, ge=0, description="Days a released model cannot be deleted by anybody (object lock); 0 leaves the lock open."
    )
    noncurrent_days: int = Field(90, ge=1, description="Days after which a replaced version of an object is removed.")
    force_destroy: bool = Field(
        False, description="Let `destroy` remove buckets that hold objects; local and dev only."
    )


class NoTracking(Section):
    """No tracking server; runs are kept in each repository's own database, artifacts in the bucket."""

    kind: Literal["none"] = Field("none", description="This choice.")


class ManagedTracking(Section):
    """SageMaker's managed MLflow App: no server of ours, no hourly price."""

    kind: Literal["managed"] = Field("managed", description="This choice.")
    weekly_maintenance: str = Field("Sun:03:00", description="Start of the maintenance window, UTC.")


class ServerTracking(Section):
    """MLflow on ECS Fargate behind a load balancer, with PostgreSQL."""

    kind: Literal["server"] = Field("server", description="This choice.")
    domain: str = Field(description="Host name of the server, as mlflow.example.com.")
    certificate_arn: str = Field(
        "",
        description="Certificate of that host in ACM; without one, one is requested and proved in `hosted_zone_id`.",
    )
    hosted_zone_id: str = Field("", description="Route 53 zone of the domain, for its record and its certificate.")
    image: str = Field(
        "",
        description="Image of the server, by digest; without one, `tracking` of the platform's registry.",
    )
    allowed_cidrs: list[str] = Field(
        [],
        description="Ranges that may reach the server besides the network; with none it is internal.",
    )
    cpu: Literal[256, 512, 1024, 2048, 4096] = Field(512, description="CPU units of a task; 1024 is one vCPU.")
    memory: int = Field(2048, ge=1024, description="Memory of a task in MiB; MLflow idles at 400 to 700.")
    tasks: int = Field(1, ge=1, description="Tasks that always run.")
    max_tasks: int = Field(2, ge=1, description="Tasks under load.")
    spot: bool = Field(False, description="Run the tasks on Fargate Spot: a third of the price, restarted at times.")
    database_class: str = Field(
        "db.t4g.micro", pattern=r"^db\.[a-z0-9-]+\.[a-z0-9]+$", description="RDS instance class."
    )
    database_gb: int = Field(
        20, ge=20, description="Storage of the database in GB; it grows to five times that by itself."
    )
    multi_az: bool = Field(False, description="A standby database in a second zone.")
    backup_days: int = Field(7, ge=1, le=35, description="Days of point-in-time recovery.")
    web_acl: bool = Field(False, description="AWS WAF before the load balancer, with AWS's common rules.")

    @model_validator(mode="after")
    def check(self) -> Self:
        if not self.certificate_arn and not self.hosted_zone_id:
            raise ValueError("TLS needs certificate_arn, or hosted_zone_id to request a certificate")
        if self.max_tasks < self.tasks:
            raise ValueError(f"max_tasks {self.max_tasks} is less than tasks {self.tasks}")
        for cidr in self.allowed_cidrs:
            parse_cidr("allowed_cidrs", cidr)
        return self


class ExistingTracking(Section):
    """A tracking server that somebody else runs."""

    kind: Literal["existing"] = Field("existing", description="This choice.")
    uri: str = Field(
        pattern=r"^(https://|arn:aws:sagemaker:)", description="Its address; https, or an ARN of SageMaker."
    )


Tracking = Annotated[NoTracking | ManagedTracking | ServerTracking | ExistingTracking, Field(discriminator="kind")]


class Gpu(Section):
    """GPU machines for training."""

    max_vcpus: int = Field(ge=4, description="The most vCPUs of GPU machines at one time.")
    quota_vcpus: int = Field(
        ge=0,
        description="The account's quota of vCPUs for G and VT instances (On-Demand or Spot); new accounts have 0.",
    )
    instance_types: list[str] = Field(["g6.xlarge"], min_length=1, description="Machines that may be started.")

    @model_validator(mode="after")
    def check(self) -> Self:
        if self.max_vcpus > self.quota_vcpus:
            raise ValueError(
                f"max_vcpus {self.max_vcpus} is over the account's quota_vcpus {self.quota_vcpus}; jobs would never run"
            )
        return self


class NoCompute(Section):
    """No cluster; training runs on the laptop or in CI."""

    kind: Literal["none"] = Field("none", description="This choice.")


class BatchCompute(Section):
    """AWS Batch: queues of jobs, no machine while there are none."""

    kind: Literal["batch"] = Field("batch", description="This choice.")
    max_vcpus: int = Field(32, ge=2, description="The most vCPUs of CPU machines at one time.")
    spot: bool = Field(True, description="Run jobs on Spot machines; they are started again when one is taken away.")
    instance_types: list[str] = Field(
        ["m7i", "c7i", "m6i", "c6i"], min_length=1, description="Families or types to choose from."
    )
    gpu: Gpu | None = Field(None, description="GPU machines; without this key there are none.")


class EksCompute(Section):
    """A Kubernetes cluster."""

    kind: Literal["eks"] = Field("eks", description="This choice.")
    version: str = Field("1.34", pattern=r"^1\.\d\d$", description="Kubernetes version.")
    public_cidrs: list[str] = Field([], description="Ranges that reach the API from outside; empty leaves it private.")
    admin_role_arns: list[str] = Field([], description="IAM roles that administer the cluster.")
    instance_types: list[str] = Field(["m7i.large"], min_length=1, description="Machines of the system node group.")
    min_nodes: int = Field(2, ge=1, description="Nodes of the system group that always run.")
    max_nodes: int = Field(4, ge=1, description="Nodes of the system group under load.")
    spot: bool = Field(False, description="Spot machines for the nodes.")
    gpu: Gpu | None = Field(None, description="A node group of GPU machines, scaled to zero.")

    @model_validator(mode="after")
    def check(self) -> Self:
        for cidr in self.public_cidrs:
            if parse_cidr("public_cidrs", cidr).prefixlen == 0:
                raise ValueError("public_cidrs must not open the API to the whole internet")
        if self.max_nodes < self.min_nodes:
            raise ValueError(f"max_nodes {self.max_nodes} is less than min_nodes {self.min_nodes}")
        return self


Compute = Annotated[NoCompute | BatchCompute | EksCompute, Field(discriminator="kind")]


class Ci(Section):
    """Identity of the CI system: short-lived tokens, no stored keys."""

    provider: Literal["none", "github", "gitlab"] = Field("none", description="Who issues the tokens.")
    repositories: list[Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)+$")]] = Field(
        [], description="Repositories that may use the roles, as owner/name; no patterns."
    )
    gitlab_url: str = Field("https://gitlab.com", pattern=r"^https://[^/]+$", description="Address of GitLab.")
    create_provider: bool = Field(True, description="False where the account has the identity provider already.")

    @model_validator(mode="after")
    def check(self) -> Self:
        if self.provider != "none" and not self.repositories:
            raise ValueError("repositories must name at least one owner/name that may deploy")
        return self


class Observability(Section):
    """Logs, alarms, and where they go."""

    log_days: Literal[30, 90, 180, 365, 731, 1827, 3653] = Field(30, description="Days that logs are kept.")
    emails: list[Email] = Field([], description="Who is told of alarms; each address has to confirm once.")
    slack_workspace_id: str = Field(
        "", pattern=r"^(T[A-Z0-9]+)?$", description="Slack workspace, joined once in AWS Chatbot."
    )
    slack_channel_id: str = Field("", pattern=r"^([CG][A-Z0-9]+)?$", description="Slack channel that gets the alarms.")
    prometheus: bool = Field(False, description="A managed Prometheus workspace.")

    @model_validator(mode="after")
    def check(self) -> Self:
        if bool(self.slack_workspace_id) != bool(self.slack_channel_id):
            raise ValueError("slack_workspace_id and slack_channel_id go together")
        return self


class Audit(Section):
    """The account's audit trail."""

    owner: Literal["platform", "organisation"] = Field(
        "platform",
        description="`organisation` where a central team runs CloudTrail, Config and GuardDuty for all accounts.",
    )
    data_events: bool = Field(
        False, description="Record each read and write of the model registry; 0.10 USD per 100,000."
    )
    config_recorder: bool = Field(True, description="AWS Config; 0.003 USD per recorded change.")
    guard_duty: bool = Field(True, description="GuardDuty; priced by volume.")
    account_public_access_block: bool = Field(True, description="No public bucket anywhere in the account.")


class Budget(Section):
    """What the stack may cost."""

    monthly_usd: float = Field(
        gt=0, description="Monthly limit in USD; told at 50, 80 and 100 %, and when the forecast passes it."
    )
    emails: list[Email] = Field(min_length=1, description="Who is told; a budget that tells nobody is refused.")
    anomaly_usd: float = Field(20, gt=0, description="An unusual rise of this much a day is told too.")
    activate_tags: bool = Field(
        False, description="Split the invoice by our tags; AWS takes them a day after the first resource had them."
    )
    anomaly_monitor: bool = Field(True, description="AWS allows few of them in an account; false where one exists.")


class Backup(Section):
    """Copies that survive the deletion of the original."""

    enabled: bool = Field(True, description="A daily backup of database and model registry.")
    keep_days: int = Field(35, ge=7, description="Days that a backup is kept.")
    restore_test: bool = Field(False, description="A weekly test that restores the newest backup and removes it again.")


class Serving(Section):
    """Where the prediction services run."""

    kind: Literal["none", "ecs", "eks"] = Field("none", description="An ECS cluster, the EKS cluster, or nothing.")


class StackConfig(Section):
    """What platform and project have in common."""

    name: Annotated[Slug, Field(min_length=2, max_length=12)] = Field(
        description="Short name; it begins the names of all resources."
    )
    environment: Environment = Field(description="Decides protection, retention and the defaults of safety.")
    region: str = Field(description="AWS region, as eu-west-1.")
    owner: str = Field(min_length=1, description="Team or address that answers for the stack; a tag of every resource.")
    cost_center: str = Field("unassigned", description="Cost centre; a tag of every resource.")
    data_classification: DataClassification = Field(
        "internal", description="The most sensitive data that is kept here."
    )
    regulation: Literal["none", "eu-ai-act"] = Field("none", description="Rules that set retention and logging.")
    emulated: bool = Field(
        False, description="The AWS behind the endpoint is an emulator: path-style buckets, no account checks."
    )

    @model_validator(mode="after")
    def check_common(self) -> Self:
        if self.region not in REGIONS:
            raise ValueError(f"region {self.region} is not known; one of {', '.join(REGIONS)}")
        if self.environment == "local" and not self.emulated:
            raise ValueError("environment local runs on an emulator: set emulated to true")
        return self

    @property
    def is_guarded(self) -> bool:
        """Stateful resources are protected: staging and prod."""
        return self.environment in ("staging", "prod")


class PlatformConfig(StackConfig):
    """The platform: what all repositories of an environment share."""

    budget: Budget = Field(description="What the platform may cost.")
    network: Network = Field(default_factory=Network, description=Network.__doc__)
    storage: Storage = Field(default_factory=Storage, description=Storage.__doc__)
    tracking: Tracking = Field(default_factory=ManagedTracking, description="Where runs are tracked.")
    compute: Compute = Field(default_factory=BatchCompute, description="Where jobs run.")
    serving: Serving = Field(default_factory=Serving, description=Serving.__doc__)
    ci: Ci = Field(default_factory=Ci, description=Ci.__doc__)
    observability: Observability = Field(default_factory=Observability, description=Observability.__doc__)
    audit: Audit = Field(default_factory=Audit, description=Audit.__doc__)
    backup: Backup = Field(default_factory=Backup, description=Backup.__doc__)

    @model_validator(mode="after")
    def check(self) -> Self:
        check_platform(self)
        return self


class ProjectConfig(StackConfig):
    """One repository: its prefix, image repository, job definition, roles and budget on a platform."""

    platform: Literal["standalone", "shared"] = Field(
        description="`standalone` brings the platform along; `shared` joins one."
    )
    platform_stack: str = Field(
        "", description="Stack of the shared platform, as organization/groundplan-platform/dev."
    )
    budget: Budget = Field(description="What the project may cost.")
    standalone: dict[str, Any] = Field(
        {}, description="Further keys of the platform configuration, in standalone mode."
    )
    job_vcpus: int = Field(2, ge=1, description="vCPUs of a training job.")
    job_memory: int = Field(8192, ge=512, description="Memory of a training job in MiB.")
    job_gpus: int = Field(0, ge=0, description="GPUs of a training job.")
    kubernetes_namespace: str = Field(
        "", description="On EKS: the namespace in which the service account of the project's name acts as its job role."
    )
    repository: str = Field(
        "", description="The repository on the CI system, as owner/name; its deploy role trusts it alone."
    )
    ci_provider: Literal["none", "github", "gitlab"] = Field("none", description="Who issues the CI's tokens.")

    @model_validator(mode="after")
    def check(self) -> Self:
        if self.platform == "shared" and not self.platform_stack:
            raise ValueError("platform_stack is missing; a shared platform needs the name of its stack")
        if self.platform == "shared" and self.standalone:
            raise ValueError("standalone has keys, but the platform is shared; set them there")
        if self.platform == "standalone":
            self.platform_config()
        return self

    def platform_config(self) -> PlatformConfig:
        """The configuration of the platform that a standalone project brings along."""
        common = self.model_dump(include=set(StackConfig.model_fields))
        return PlatformConfig.model_validate({**common, "budget": self.budget.model_dump(), **self.standalone})


Config = TypeVar("Config", bound=StackConfig)


def parse_cidr(key: str, value: str) -> ipaddress.IPv4Network:
    """The range that a text spells; raises ValueError that names the key."""
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{key} {value!r} is not an IPv4 range: {error}") from None


def check_platform(config: PlatformConfig) -> None:
    """The rules between sections; raises ValueError that names both keys and the way out."""
    prod, tracking = config.environment == "prod", config.tracking
    problems = []
    if prod and isinstance(tracking, ServerTracking) and not tracking.multi_az:
        problems.append("tracking.multi_az must be true in prod: one zone lost would stop all tracking")
    if prod and isinstance(tracking, ServerTracking) and tracking.tasks < 2:
        problems.append("tracking.tasks must be at least 2 in prod")
    if prod and not config.backup.enabled:
        problems.append("backup.enabled must be true in prod")
    if config.is_guarded and config.storage.force_destroy:
        problems.append(f"storage.force_destroy must be false in {config.environment}")
    if config.serving.kind == "eks" and not isinstance(config.compute, EksCompute):
        problems.append("serving.kind eks needs compute.kind eks")
    if (
        isinstance(config.compute, EksCompute)
        and config.network.nat == "none"
        and not config.network.interface_endpoints
    ):
        problems.append("compute.kind eks needs network.nat, its nodes have no public address")
    if config.regulation == "eu-ai-act" and config.observability.log_days < 180:
        problems.append("observability.log_days must be at least 180 under eu-ai-act (articles 19 and 26: six months)")
    if config.data_classification == "restricted" and not config.audit.data_events and config.audit.owner == "platform":
        problems.append("audit.data_events must be true for restricted data")
    if config.backup.restore_test and not config.backup.enabled:
        problems.append("backup.restore_test needs backup.enabled")
    if problems:
        raise ValueError("; ".join(problems))


def explain(error: ValidationError, source: str) -> str:
    """One line for each problem: the file, the key, what is wrong."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        where = [
            str(part)
            for part in problem["loc"]
            if part not in ("none", "managed", "server", "existing", "batch", "eks")
        ]
        key = ".".join(where)
        message = re.sub(r"^Value error, ", "", problem["msg"])
        if problem["type"] == "extra_forbidden":
            message = "is not a key; see docs/reference/config.md for those there are"
        if problem["type"] == "missing":
            message = "is missing"
        lines.append(f"{source}: {NAMESPACE}:{key}: {message}" if key else f"{source}: {message}")
    return "\n".join(lines)


def parse(model: type[Config], values: Mapping[str, Any], source: str) -> Config:
    """Check a stack's values; raises ConfigError with a line for each problem."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(explain(error, source)) from None


def from_engine(raw: Mapping[str, str]) -> dict[str, Any]:
    """The namespace's values among those the engine hands to a program: text, structured values as JSON."""
    values = {}
    for key, text in raw.items():
        namespace, _, name = key.partition(":")
        if namespace == NAMESPACE:
            values[name] = structured(text)
    return values


def structured(text: str) -> Any:
    """The engine gives objects and lists as JSON, and all else as text: a quoted 4711 as well as a number."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
