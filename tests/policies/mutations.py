"""For every control: one setting of a real graph, broken, and the controls that must fire for it, no others."""

import json

from breaking import (
    BUCKET,
    TASK,
    Mutation,
    adding,
    container,
    dropping,
    no_models,
    removing,
    setting,
    statement,
    trust,
    uncovered,
    unpinned,
    unprotected,
    without_login,
)

DATABASE = "rds/instance:Instance"
BATCH = "batch/computeEnvironment:ComputeEnvironment"
NODES = "eks/nodeGroup:NodeGroup"
CLUSTER = "eks/cluster:Cluster"
TEMPLATE = "ec2/launchTemplate:LaunchTemplate"
INGRESS = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ENCRYPTION = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
TAGS = dict.fromkeys(("Owner", "Project", "Environment", "CostCenter", "DataClassification"), "x")
EVERYONE = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
ALL = {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}
PRESENT = "satisfied"

MUTATIONS: dict[str, list[Mutation]] = {
    "s3-bucket-default-encryption": [
        removing(ENCRYPTION, "*dvc"),
        setting(ENCRYPTION, "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "AES256", "*models"),
    ],
    "s3-bucket-customer-key": [
        dropping(ENCRYPTION, "rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId", "*dvc", unknown=PRESENT),
        setting(ENCRYPTION, "rules.0.bucketKeyEnabled", False, "*dvc"),
    ],
    "s3-bucket-versioning": [
        removing("s3/bucketVersioning:BucketVersioning", "*dvc"),
        setting("s3/bucketVersioning:BucketVersioning", "versioningConfiguration.status", "Suspended"),
    ],
    "s3-bucket-public-access-flags": [
        setting("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicPolicy", False),
        dropping("s3/accountPublicAccessBlock:AccountPublicAccessBlock", "restrictPublicBuckets"),
    ],
    "s3-bucket-public-access-block": [removing("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "*artifacts")],
    "s3-account-public-access-block": [removing("s3/accountPublicAccessBlock:AccountPublicAccessBlock")],
    "s3-bucket-ssl-requests-only": [
        removing("s3/bucketPolicy:BucketPolicy", "*dvc"),
        setting("s3/bucketPolicy:BucketPolicy", "policy", '{"Statement": []}', "*models"),
    ],
    "s3-bucket-policy-no-public-principal": [statement("s3/bucketPolicy:BucketPolicy", "policy", EVERYONE, "*dvc")],
    "s3-bucket-owner-enforced": [
        setting("s3/bucketOwnershipControls:BucketOwnershipControls", "rule.objectOwnership", "ObjectWriter"),
        adding("s3/bucketAcl:BucketAcl", {"bucket": "b", "acl": "private"}, "acl", unknown="violated"),
    ],
    "s3-bucket-lifecycle": [
        removing("s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "*dvc"),
        setting("s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "rules.0.status", "Disabled", "*dvc"),
    ],
    "s3-bucket-access-logging": [removing("s3/bucketLogging:BucketLogging", "*artifacts")],
    "rds-storage-encrypted": [setting(DATABASE, "storageEncrypted", False)],
    "rds-no-public-access": [setting(DATABASE, "publiclyAccessible", True)],
    "rds-backup-retention": [
        setting(DATABASE, "backupRetentionPeriod", 3),
        setting(DATABASE, "skipFinalSnapshot", True),
    ],
    "rds-deletion-protection": [setting(DATABASE, "deletionProtection", False)],
    "rds-multi-az": [setting(DATABASE, "multiAz", False)],
    "rds-tls-required": [
        setting("rds/parameterGroup:ParameterGroup", "parameters.0.value", "0"),
        removing("rds/parameterGroup:ParameterGroup", unknown="violated"),
    ],
    "rds-password-not-plain": [setting(DATABASE, "password", "hunter2", unknown="violated")],
    "kms-key-rotation": [
        setting("kms/key:Key", "enableKeyRotation", False),
        setting("kms/key:Key", "deletionWindowInDays", 7),
    ],
    "kms-key-policy-no-public-principal": [statement("kms/key:Key", "policy", {**ALL, "Principal": {"AWS": "*"}})],
    "secret-recovery-window": [setting("secretsmanager/secret:Secret", "recoveryWindowInDays", 0)],
    "secret-customer-key": [dropping("secretsmanager/secret:Secret", "kmsKeyId", unknown=PRESENT)],
    "secret-rotation": [dropping("secretsmanager/secret:Secret", "tags.Rotation", unknown=PRESENT)],
    "sns-topic-encrypted": [dropping("sns/topic:Topic", "kmsMasterKeyId", unknown=PRESENT)],
    "iam-policy-no-admin": [
        statement("iam/rolePolicy:RolePolicy", "policy", ALL),
        adding(
            "iam/role:Role",
            {"tags": TAGS, "inlinePolicies": [{"policy": json.dumps({"Statement": ALL})}]},
            "inlinePolicies.0.policy",
        ),
    ],
    "iam-no-broad-managed-policy": [
        setting(
            "iam/rolePolicyAttachment:RolePolicyAttachment", "policyArn", "arn:aws:iam::aws:policy/AmazonS3FullAccess"
        ),
        setting(
            "iam/rolePolicyAttachment:RolePolicyAttachment", "policyArn", "arn:aws:iam::aws:policy/AdministratorAccess"
        ),
    ],
    "iam-oidc-trust-exact": [
        trust({"StringEquals": {"aud": "sts.amazonaws.com"}, "StringLike": {"sub": "repo:acme/*"}}),
        trust({"StringEquals": {"aud": "sts.amazonaws.com"}}),
        trust({"StringEquals": {"sub": "repo:acme/churn:environment:prod"}}),
    ],
    "iam-no-user-keys": [
        adding("iam/accessKey:AccessKey", {"user": "ci"}, "user", unknown="violated"),
        adding("iam/user:User", {"name": "ci"}, "name", unknown="violated"),
    ],
    "security-group-restricted-ingress": [
        adding(INGRESS, {"cidrIpv4": "0.0.0.0/0", "fromPort": 22, "toPort": 22, "ipProtocol": "tcp"}, "cidrIpv4"),
        adding(INGRESS, {"cidrIpv6": "::/0", "ipProtocol": "-1"}, "cidrIpv6"),
        adding(INGRESS, {"cidrIpv4": "0.0.0.0/0", "fromPort": 0, "toPort": 65535, "ipProtocol": "tcp"}, "cidrIpv4"),
        setting(
            "ec2/securityGroup:SecurityGroup",
            "ingress",
            [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 5000, "toPort": 5000, "protocol": "tcp"}],
        ),
    ],
    "vpc-default-security-group-closed": [
        removing("ec2/defaultSecurityGroup:DefaultSecurityGroup"),
        setting("ec2/defaultSecurityGroup:DefaultSecurityGroup", "ingress", [{"self": True, "protocol": "-1"}]),
    ],
    "vpc-flow-logs-enabled": [removing("ec2/flowLog:FlowLog")],
    "vpc-s3-gateway-endpoint": [removing("ec2/vpcEndpoint:VpcEndpoint", "*s3*")],
    "nat-not-in-dev": [
        adding("ec2/natGateway:NatGateway", {"tags": TAGS}, "subnetId", base="dev", unknown="violated"),
    ],
    "lb-listener-tls": [
        setting("lb/listener:Listener", "sslPolicy", "ELBSecurityPolicy-2016-08"),
        setting("lb/listener:Listener", "protocol", "HTTP"),
    ],
    "lb-hardened": [
        setting("lb/loadBalancer:LoadBalancer", "dropInvalidHeaderFields", False),
        setting("lb/loadBalancer:LoadBalancer", "enableDeletionProtection", False),
        setting("lb/loadBalancer:LoadBalancer", "accessLogs.enabled", False),
    ],
    "ecs-task-isolated": [
        container("privileged", True),
        setting("ecs/service:Service", "networkConfiguration.assignPublicIp", True),
        dropping(TASK, "taskRoleArn", unknown=PRESENT),
    ],
    "no-plain-secrets-in-environment": [
        container("environment.0", {"name": "DB_PASSWORD", "value": "hunter2"}),
        container("environment.0", {"name": "HOME_PAGE", "value": "postgresql://mlflow:hunter2@db.example.com/mlflow"}),
        adding(
            "batch/jobDefinition:JobDefinition",
            {
                "type": "container",
                "tags": TAGS,
                "containerProperties": json.dumps({"environment": [{"name": "WANDB_API_KEY", "value": "3f9c0a"}]}),
            },
            "containerProperties",
        ),
        adding(
            "lambda/function:Function",
            {"environment": {"variables": {"SLACK_TOKEN": "xoxb-1234567890-abc"}}, "tags": TAGS},
            "environment.variables.SLACK_TOKEN",
        ),
    ],
    "image-pinned": [Mutation(unpinned, place=(TASK, "*", "containerDefinitions"))],
    "ecr-repository-hardened": [
        setting("ecr/repository:Repository", "imageTagMutability", "MUTABLE", fires={"image-pinned"}),
        setting("ecr/repository:Repository", "imageScanningConfiguration.scanOnPush", False),
    ],
    "ecr-lifecycle-policy": [removing("ecr/lifecyclePolicy:LifecyclePolicy")],
    "eks-endpoint-restricted": [
        setting(CLUSTER, "vpcConfig.endpointPublicAccess", True, base="kubernetes"),
    ],
    "eks-secrets-encrypted": [dropping(CLUSTER, "encryptionConfig", base="kubernetes")],
    "eks-control-plane-logs": [setting(CLUSTER, "enabledClusterLogTypes", ["api"], base="kubernetes")],
    "eks-version-supported": [setting(CLUSTER, "version", "1.27", base="kubernetes")],
    "ec2-imdsv2-required": [
        setting(TEMPLATE, "metadataOptions.httpTokens", "optional"),
        setting(TEMPLATE, "metadataOptions.httpPutResponseHopLimit", 5),
    ],
    "ebs-encrypted": [
        setting(TEMPLATE, "blockDeviceMappings.0.ebs.encrypted", "false"),
        adding("ebs/volume:Volume", {"size": 10, "tags": TAGS}, "encrypted"),
    ],
    "instance-types-allowed": [
        setting(BATCH, "computeResources.instanceTypes", ["p5.48xlarge"], fires={"gpu-capacity-capped"}),
        setting(BATCH, "computeResources.instanceTypes", ["x2idn.32xlarge"]),
    ],
    "gpu-capacity-capped": [
        setting(NODES, "scalingConfig.maxSize", 100, "*gpu", base="kubernetes"),
        setting(BATCH, "computeResources.maxVcpus", 4096, "*gpu", base="standalone"),
    ],
    "spot-outside-prod": [setting(BATCH, "computeResources.type", "EC2", base="staging")],
    "scale-to-zero": [
        setting(BATCH, "computeResources.minVcpus", 4),
        setting(NODES, "scalingConfig.minSize", 1, "*gpu", base="kubernetes"),
    ],
    "log-group-retention": [
        setting("cloudwatch/logGroup:LogGroup", "retentionInDays", 30),
        setting("cloudwatch/logGroup:LogGroup", "retentionInDays", 0),
    ],
    "log-group-encrypted": [dropping("cloudwatch/logGroup:LogGroup", "kmsKeyId", unknown=PRESENT)],
    "cloudtrail-enabled": [removing("cloudtrail/trail:Trail")],
    "cloudtrail-hardened": [
        setting("cloudtrail/trail:Trail", "isMultiRegionTrail", False),
        dropping("cloudtrail/trail:Trail", "kmsKeyId", unknown=PRESENT),
    ],
    "config-recorder-enabled": [removing("cfg/recorder:Recorder")],
    "guardduty-enabled": [removing("guardduty/detector:Detector")],
    "access-analyzer-enabled": [removing("accessanalyzer/analyzer:Analyzer")],
    "required-tags": [
        dropping(BUCKET, "tags.Owner", unknown=PRESENT),
        dropping(DATABASE, "tags", unknown=PRESENT),
    ],
    "allowed-regions": [
        setting("sns/topic:Topic", "region", "us-east-1"),
        setting("ec2/subnet:Subnet", "availabilityZone", "us-east-1a"),
    ],
    "training-data-residency": [
        setting(
            "backup/plan:Plan",
            "rules.0.copyActions",
            [{"destinationVaultArn": "arn:aws:backup:us-east-1:123456789012:backup-vault:copy"}],
        ),
        adding(
            "bedrock/inferenceProfile:InferenceProfile",
            {"modelSource": {"copyFrom": "arn:aws:bedrock:eu-west-1::inference-profile/us.anthropic.claude"}},
            "modelSource.copyFrom",
        ),
    ],
    "stateful-no-force-destroy": [
        setting(BUCKET, "forceDestroy", True),
        setting("ecr/repository:Repository", "forceDelete", True),
    ],
    "stateful-protected": [Mutation(unprotected, place=(BUCKET, "*models", "tags"), unknown=PRESENT)],
    "backup-covers-state": [
        Mutation(uncovered, place=("backup/selection:Selection", "*", "resources"), unknown=PRESENT)
    ],
    "resource-type-reviewed": [
        adding("sqs/queue:Queue", {}, "name", unknown="violated"),
        adding("storage/bucket:Bucket", {}, "name", provider="gcp", unknown="violated"),
    ],
    "budget-before-compute": [
        removing("budgets/budget:Budget"),
        setting("budgets/budget:Budget", "notifications", []),
    ],
    "cost-anomalies-told": [removing("costexplorer/anomalySubscription:AnomalySubscription")],
    "mlflow-authenticated": [Mutation(without_login, place=(TASK, "*", "containerDefinitions"))],
    "model-registry-object-lock": [
        setting(BUCKET, "objectLockEnabled", False, "*models"),
        setting("s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", "rule.defaultRetention.days", 1),
        removing("s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"),
    ],
    "model-registry-present": [Mutation(no_models, place=(BUCKET, "*models", "tags"), unknown=PRESENT)],
    "model-group-governed": [
        adding("sagemaker/modelPackageGroup:ModelPackageGroup", {"tags": {"Owner": "team"}}, "tags", unknown=PRESENT)
    ],
    "sagemaker-isolated": [
        adding(
            "sagemaker/notebookInstance:NotebookInstance",
            {"instanceType": "ml.t3.medium", "kmsKeyId": "k", "rootAccess": "Disabled", "tags": TAGS},
            "directInternetAccess",
        ),
        adding(
            "sagemaker/model:Model",
            {"vpcConfig": {"subnets": ["s"]}, "enableNetworkIsolation": False, "tags": TAGS},
            "enableNetworkIsolation",
        ),
    ],
}
