"""Which Terraform type and argument names stand behind each pulumi_aws token.

Tokens and property names are read from the installed pulumi_aws SDK, Terraform names from the provider. Names that
follow no rule stand in SPECIAL.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pulumi_aws

# token -> Terraform type, where module + type name does not spell it
SPECIAL = {
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:cloudtrail/trail:Trail": "aws_cloudtrail",
    "aws:cfg/recorder:Recorder": "aws_config_configuration_recorder",
    "aws:cfg/recorderStatus:RecorderStatus": "aws_config_configuration_recorder_status",
    "aws:dynamodb/table:Table": "aws_dynamodb_table",
    "aws:rds/instance:Instance": "aws_db_instance",
    "aws:rds/subnetGroup:SubnetGroup": "aws_db_subnet_group",
    "aws:rds/parameterGroup:ParameterGroup": "aws_db_parameter_group",
    "aws:rds/optionGroup:OptionGroup": "aws_db_option_group",
    "aws:ec2/eip:Eip": "aws_eip",
}
# pulumi module -> prefixes that the Terraform type may have instead of the module's name
PREFIXES = {
    "cfg": ["config"],
    "costexplorer": ["ce"],
    "amp": ["prometheus"],
    "rds": ["rds", "db"],
    "ec2": ["", "ec2", "vpc"],
    "sfn": ["sfn"],
    "cloudwatch": ["cloudwatch"],
    "alb": ["alb"],
    "ebs": ["ebs"],
    "vpc": ["vpc"],
    "directoryservice": ["directory_service"],
    "s3control": ["s3control"],
}
NAMES = {
    "getCallerIdentity": "aws_caller_identity",
    "getRegion": "aws_region",
    "getPartition": "aws_partition",
    "getAvailabilityZones": "aws_availability_zones",
    "getArn": "aws_arn",
    "getElbServiceAccount": "aws_elb_service_account",
}

# Rules of a web ACL nest without end.
MAX_DEPTH = 4
ARGS = re.compile(r"\nclass (?P<name>\w+Args):\n(?P<body>.*?)(?=\n(?:@pulumi\.input_type|class )|\Z)", re.S)
PROPERTY = re.compile(
    r"@_builtins\.property\n    @pulumi\.getter(?:\(name=\"(\w+)\"\))?\n    def (\w+)\(self\) -> (.*?):\n"
)


def norm(name: str) -> str:
    """Letters and digits alone."""
    return name.replace("_", "").lower()


def find(token: str, by_norm: dict[str, str]) -> str | None:
    """Terraform type of a token, or None where no rule finds one."""
    if token in SPECIAL:
        return SPECIAL[token]
    module, type_name = token.split(":")[1].split("/")[0], token.rsplit(":", 1)[1]
    type_name = type_name.removeprefix("get") if type_name.startswith("get") else type_name
    if token.rsplit(":", 1)[1] in NAMES:
        return NAMES[token.rsplit(":", 1)[1]]
    for prefix in [module, *PREFIXES.get(module, []), ""]:
        hit = by_norm.get("aws" + norm(prefix) + norm(type_name))
        if hit:
            return hit
    return None


def sdk_tokens() -> tuple[dict[str, Path], dict[str, Path]]:
    """Resource tokens and function tokens of the SDK, each with the file that defines it."""
    root = Path(pulumi_aws.__file__).parent
    resources, functions = {}, {}
    for path in sorted(root.rglob("*.py")):
        text = path.read_text()
        for token in re.findall(r'@pulumi\.type_token\("(aws:[^"]+)"\)', text):
            resources.setdefault(token, path)
        for token in re.findall(r"invoke\('(aws:[^']+)'", text):
            functions.setdefault(token, path)
    return resources, functions


def sdk_inputs(path: Path) -> dict[str, dict[str, Any]]:
    """Each camelCase input of the resource class in a file: its `kind` ('list', 'map' or 'one'), and the `fields` of
    what is nested in it."""
    match = ARGS.search(path.read_text())
    return properties(match["body"], nested_types(path.parent / "_inputs.py"), MAX_DEPTH) if match else {}


@cache
def nested_types(path: Path) -> dict[str, str]:
    """The text of each class of nested inputs in a module."""
    if not path.exists():
        return {}
    return {found["name"]: found["body"] for found in ARGS.finditer(path.read_text())}


def properties(body: str, nested: dict[str, str], depth: int) -> dict[str, dict[str, Any]]:
    """The properties of a class of inputs."""
    found = {}
    for camel, python, annotation in PROPERTY.findall(body):
        kind = "list" if "Sequence[" in annotation else "map" if "Mapping[" in annotation else "one"
        name = re.search(r"'(?:_inputs\.)?(\w+Args)'", annotation)
        inner = nested.get(name[1], "") if name and depth else ""
        fields = properties(inner, nested, depth - 1)
        found[camel or python] = {"kind": kind, **({"fields": fields} if fields else {})}
    return found


def make_mapping(terraform_types: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """The mapping that the bridge reads, from the names of the provider's `resources` and `functions`."""
    tables = dict(zip(("resources", "functions"), sdk_tokens(), strict=True))
    mapping: dict[str, dict[str, Any]] = {}
    for kind, tokens in tables.items():
        by_norm = {norm(name): name for name in terraform_types[kind]}
        mapping[kind] = {}
        for token, path in tokens.items():
            terraform = find(token, by_norm)
            if terraform in terraform_types[kind]:
                entry: dict[str, Any] = {"tf": terraform}
                mapping[kind][token] = {**entry, "inputs": sdk_inputs(path)} if kind == "resources" else entry
    return mapping
