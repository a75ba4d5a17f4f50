"""The sections of a stack's settings: each with its keys, their meanings, and the rules between them."""

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# The planner cuts a network into blocks for six zones; no region has more.
ZONE_LETTERS = "abcdef"

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Environment = Literal["local", "dev", "staging", "prod"]
LogDays = Literal[30, 90, 180, 365, 731, 1827, 3653]
DataClassification = Literal["public", "internal", "confidential", "restricted"]


def parse_cidr(key: str, value: str) -> ipaddress.IPv4Network:
    """The range that a text spells; raises ValueError that names the key."""
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{key} {value!r} is not an IPv4 range: {error}") from None


def check_address(certificate_arn: str, hosted_zone_id: str, allowed_cidrs: list[str]) -> None:
    """Whether an address can have TLS, and is open to ranges; raises ValueError."""
    if not certificate_arn and not hosted_zone_id:
        raise ValueError("TLS needs certificate_arn, or hosted_zone_id to request a certificate")
    for cidr in allowed_cidrs:
        parse_cidr("allowed_cidrs", cidr)


def check_tasks(least: int, most: int) -> None:
    """Whether tasks can be scaled; raises ValueError."""
    if most < least:
        raise ValueError(f"max_tasks {most} is less than tasks {least}")


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
        check_address(self.certificate_arn, self.hosted_zone_id, self.allowed_cidrs)
        check_tasks(self.tasks, self.max_tasks)
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

    log_days: LogDays = Field(30, description="Days that logs are kept.")
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


class Service(Section):
    """A repository's prediction service, on the platform's ECS cluster."""

    domain: str = Field(description="Host name of the service, as churn.example.com.")
    certificate_arn: str = Field(
        "", description="Certificate of that host in ACM; without one, one is requested and proved in `hosted_zone_id`."
    )
    hosted_zone_id: str = Field("", description="Route 53 zone of the domain, for its record and its certificate.")
    allowed_cidrs: list[str] = Field(
        [], description="Ranges that may reach the service besides the network; with none it is internal."
    )
    cpu: Literal[256, 512, 1024, 2048, 4096] = Field(256, description="CPU units of a task; 1024 is one vCPU.")
    memory: int = Field(512, ge=512, description="Memory of a task in MiB; the service takes about 85 and the model.")
    tasks: int = Field(1, ge=1, description="Tasks that always run.")
    max_tasks: int = Field(2, ge=1, description="Tasks under load.")
    spot: bool = Field(False, description="Run the tasks on Fargate Spot.")
    web_acl: bool = Field(False, description="AWS WAF before the load balancer.")

    @model_validator(mode="after")
    def check(self) -> Self:
        check_address(self.certificate_arn, self.hosted_zone_id, self.allowed_cidrs)
        check_tasks(self.tasks, self.max_tasks)
        return self


class Serving(Section):
    """Where the prediction services run."""

    kind: Literal["none", "ecs", "eks"] = Field("none", description="An ECS cluster, the EKS cluster, or nothing.")
