"""The embedded AWS: each patch of moto is needed, and answers as AWS would."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import botocore.parsers
import pytest
from botocore.config import Config

from groundplan_infra.engine import emulator
from groundplan_infra.engine.moto_patches import MOTO_VERSION, PATCHES
from groundplan_infra.engine.moto_routes import Supplements

NO_RETRY = Config(retries={"max_attempts": 1}, read_timeout=120)
PLAIN = "from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"


def client(url: str, service: str) -> Any:
    """A client of an emulator."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="emulated",
        aws_secret_access_key="emulated",
        config=NO_RETRY,
    )


@pytest.fixture(scope="module")
def patched(state: Path) -> str:
    return emulator.ensure().url


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    """moto as it comes."""
    port = emulator.free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", PLAIN.format(port=port)],
        env={**os.environ, **emulator.SETTINGS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while not emulator.answers(url) and time.monotonic() < deadline:
        time.sleep(0.1)
    yield url
    process.terminate()
    process.wait()


def denied_without_tls(url: str) -> Any:
    s3 = client(url, "s3")
    s3.create_bucket(Bucket="tls", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls", "arn:aws:s3:::tls/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket="tls", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_object(Bucket="tls", Key="model", Body=b"weights")
    return s3.get_object(Bucket="tls", Key="model")["Body"].read() == b"weights"


def access_log_under_a_wide_policy(url: str) -> Any:
    s3 = client(url, "s3")
    for name in ("logs", "data"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    everyone = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "arn:aws:s3:::logs"}
    service = {"Service": "logging.s3.amazonaws.com"}
    writes = {"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/s3/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everyone, writes]})
    s3.put_bucket_policy(Bucket="logs", Policy=policy)
    enabled = {"TargetBucket": "logs", "TargetPrefix": "s3/data/"}
    s3.put_bucket_logging(Bucket="data", BucketLoggingStatus={"LoggingEnabled": enabled})
    return s3.get_bucket_logging(Bucket="data")["LoggingEnabled"]["TargetPrefix"] == "s3/data/"


def databases_have_ids_of_their_own(url: str) -> Any:
    rds = client(url, "rds")
    ids = set()
    for name in ("one", "two"):
        made = rds.create_db_instance(
            DBInstanceIdentifier=name,
            Engine="postgres",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="mlflow",
            ManageMasterUserPassword=True,
        )
        ids.add(made["DBInstance"]["DbiResourceId"])
    return len(ids) == 2


def parameters_say_who_set_them(url: str) -> Any:
    rds = client(url, "rds")
    rds.create_db_parameter_group(DBParameterGroupName="tls", DBParameterGroupFamily="postgres17", Description="TLS")
    force = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="tls", Parameters=[force])
    return rds.describe_db_parameters(DBParameterGroupName="tls")["Parameters"][0].get("Source") == "user"


def rules_keep_their_description(url: str) -> Any:
    ec2 = client(url, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    one, two = (ec2.create_security_group(GroupName=n, Description=n, VpcId=vpc)["GroupId"] for n in ("one", "two"))
    pairs = [{"GroupId": two, "Description": "from two"}]
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": pairs}
    ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[permission])
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [one]}])["SecurityGroupRules"]
    return any(rule.get("Description") == "from two" for rule in rules)


def endpoints_reach_tables_that_join_later(url: str) -> Any:
    ec2 = client(url, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    one, two = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    service = "com.amazonaws.eu-west-1.s3"
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, VpcEndpointType="Gateway", RouteTableIds=[one])
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[two])
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    return True


def scalable_targets_have_tags(url: str) -> Any:
    ecs, scaling = client(url, "ecs"), client(url, "application-autoscaling")
    ecs.create_cluster(clusterName="scaled")
    container = {"name": "a", "image": "a", "memory": 128}
    ecs.register_task_definition(family="scaled", containerDefinitions=[container])
    ecs.create_service(cluster="scaled", serviceName="web", taskDefinition="scaled", desiredCount=1)
    arn = scaling.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/scaled/web",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=2,
        Tags={"Owner": "team"},
    )["ScalableTargetARN"]
    return scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"Owner": "team"}


def budgets_have_subscribers(url: str) -> Any:
    budgets = client(url, "budgets")
    told = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    subscriber = {"SubscriptionType": "EMAIL", "Address": "team@example.com"}
    limit = {"Amount": "5", "Unit": "USD"}
    budget = {"BudgetName": "small", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    budgets.create_budget(
        AccountId="123456789012",
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": told, "Subscribers": [subscriber]}],
        ResourceTags=[{"Key": "Owner", "Value": "team"}],
    )
    found = budgets.describe_subscribers_for_notification(
        AccountId="123456789012", BudgetName="small", Notification=told
    )
    limit["Amount"] = "7"
    budgets.update_budget(AccountId="123456789012", NewBudget=budget)
    changed = budgets.describe_budget(AccountId="123456789012", BudgetName="small")["Budget"]["BudgetLimit"]["Amount"]
    return found["Subscribers"] == [subscriber] and changed == "7"


def services_return_what_they_were_given(url: str) -> Any:
    ecs = client(url, "ecs")
    ecs.create_cluster(clusterName="fields")
    container = {"name": "a", "image": "a", "memory": 128}
    ecs.register_task_definition(family="fields", containerDefinitions=[container])
    service = ecs.create_service(
        cluster="fields",
        serviceName="web",
        taskDefinition="fields",
        desiredCount=1,
        healthCheckGracePeriodSeconds=60,
        deploymentConfiguration={"maximumPercent": 200},
    )["service"]
    return (
        service.get("healthCheckGracePeriodSeconds") == 60
        and service["deploymentConfiguration"]["maximumPercent"] == 200
    )


def templates_keep_their_tags_to_themselves(url: str) -> Any:
    ec2 = client(url, "ec2")
    tags = [{"Key": "Owner", "Value": "team"}]
    ec2.create_launch_template(
        LaunchTemplateName="machines",
        LaunchTemplateData={"TagSpecifications": [{"ResourceType": "instance", "Tags": tags}]},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )
    data = ec2.describe_launch_template_versions(LaunchTemplateName="machines")["LaunchTemplateVersions"][0]
    kinds = [each["ResourceType"] for each in data["LaunchTemplateData"]["TagSpecifications"]]
    return kinds == ["instance"]


def vaults_have_tags(url: str) -> Any:
    backup = client(url, "backup")
    arn = backup.create_backup_vault(BackupVaultName="v", BackupVaultTags={"Owner": "team"})["BackupVaultArn"]
    path = f"{url}/tags/{arn}"
    signed = backup.meta.events
    found: dict[str, str] = {}
    # The Go client, which the engine uses, asks without the slash at the end that boto3 sends.
    signed.register("before-sign.backup.ListTags", lambda request, **_: setattr(request, "url", path))
    found.update(backup.list_tags(ResourceArn=arn)["Tags"])
    return found == {"Owner": "team"}


def workspaces_return_their_key(url: str) -> Any:
    amp = client(url, "amp")
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    made = amp.create_workspace(alias="metrics", kmsKeyArn=key)["workspaceId"]
    return amp.describe_workspace(workspaceId=made)["workspace"].get("kmsKeyArn") == key


def clusters_return_how_they_are_entered(url: str) -> Any:
    iam, eks = client(url, "iam"), client(url, "eks")
    role = iam.create_role(RoleName="eks", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    made = eks.create_cluster(
        name="c", roleArn=role, resourcesVpcConfig={"subnetIds": []}, accessConfig={"authenticationMode": "API"}
    )
    return made["cluster"].get("accessConfig", {}).get("authenticationMode") == "API"


CHECKS = [
    denied_without_tls,
    access_log_under_a_wide_policy,
    databases_have_ids_of_their_own,
    parameters_say_who_set_them,
    rules_keep_their_description,
    endpoints_reach_tables_that_join_later,
    scalable_targets_have_tags,
    budgets_have_subscribers,
    services_return_what_they_were_given,
    templates_keep_their_tags_to_themselves,
    vaults_have_tags,
    workspaces_return_their_key,
    clusters_return_how_they_are_entered,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_each_patch_is_needed_and_right(check: Any, patched: str, plain: str) -> None:
    assert check(patched)
    with suppress(botocore.exceptions.ClientError, botocore.parsers.ResponseParserError):
        assert not check(plain), "moto does this by itself now; remove the patch"


def test_supplements_answer_what_moto_does_not_know(patched: str) -> None:
    analyzer = client(patched, "accessanalyzer")
    analyzer.create_analyzer(analyzerName="a", type="ACCOUNT", tags={"Owner": "team"})
    assert analyzer.get_analyzer(analyzerName="a")["analyzer"]["status"] == "ACTIVE"
    analyzer.delete_analyzer(analyzerName="a")
    with pytest.raises(analyzer.exceptions.ResourceNotFoundException):
        analyzer.get_analyzer(analyzerName="a")
    costs = client(patched, "ce")
    monitor = {"MonitorName": "m", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
    arn = costs.create_anomaly_monitor(AnomalyMonitor=monitor)["MonitorArn"]
    assert costs.get_anomaly_monitors(MonitorArnList=[arn])["AnomalyMonitors"][0]["MonitorName"] == "m"
    costs.delete_anomaly_monitor(MonitorArn=arn)
    with pytest.raises(costs.exceptions.UnknownMonitorException):
        costs.get_anomaly_monitors(MonitorArnList=[arn])


def test_patches_are_for_the_installed_version() -> None:
    import moto

    assert moto.__version__ == MOTO_VERSION
    assert len({patch.__name__ for patch in PATCHES}) == len(PATCHES)
    assert all(patch.__doc__ for patch in PATCHES)


def test_a_second_start_finds_the_first(patched: str) -> None:
    assert emulator.ensure().url == patched


def test_a_process_that_has_ended_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    time.sleep(1)
    assert not emulator.alive(process.pid), "a zombie counts as ended"
    process.wait()
    assert not emulator.alive(process.pid)
    assert emulator.alive(os.getpid())


def attempt(app: Supplements, invocation: str, method: str = "POST") -> tuple[str, bytes]:
    """One attempt of a call; gives the status line and the body."""
    heads: list[str] = []
    body = io.BytesIO(b"Action=CreateSubnet")
    environ = {"REQUEST_METHOD": method, "HTTP_AMZ_SDK_INVOCATION_ID": invocation, "wsgi.input": body}
    answer = app({**environ, "CONTENT_LENGTH": "19"}, lambda status, _headers: heads.append(status))
    return heads[0], b"".join(answer)


def test_a_call_sent_again_gets_its_first_answer() -> None:
    calls: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert environ["wsgi.input"].read() == b"Action=CreateSubnet"
        calls.append(environ["REQUEST_METHOD"])
        start_response("500 Broken" if len(calls) == 1 else "200 OK", [])
        return [b"call ", str(len(calls)).encode()]

    app = Supplements(application)
    assert attempt(app, "a") == ("500 Broken", b"call 1")
    assert attempt(app, "a") == attempt(app, "a") == ("200 OK", b"call 2")
    assert attempt(app, "b") == ("200 OK", b"call 3")
    assert [attempt(app, "c", "GET")[1] for _ in range(2)] == [b"call 4", b"call 5"]
    for number in range(Supplements.REMEMBERED):
        attempt(app, f"later {number}")
    assert attempt(app, "a")[1] != b"call 2"
