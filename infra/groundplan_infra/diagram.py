"""The architecture of a stack as a Mermaid flowchart: components, what they hold, and who refers to whom."""

from collections import Counter

from groundplan_infra.graph import Graph, Resource

# Too many of them, and none of them is what a reader looks for.
HIDDEN = {"iam", "vpc"}
HIDDEN_TYPES = {
    "aws:ec2/route:Route",
    "aws:ec2/routeTable:RouteTable",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    "aws:ec2/eip:Eip",
    "aws:kms/alias:Alias",
}
HIDDEN_PREFIXES = ("aws:s3/bucket",)
SHOWN_ANYWAY = {"aws:s3/bucket:Bucket"}


def is_shown(resource: Resource) -> bool:
    """Whether a resource is worth a line in the picture."""
    if resource.type in SHOWN_ANYWAY:
        return True
    module = resource.type.split(":")[1].split("/")[0]
    hidden = module in HIDDEN or resource.type in HIDDEN_TYPES or resource.type.startswith(HIDDEN_PREFIXES)
    return resource.is_aws and not hidden


def kind_of(resource: Resource) -> str:
    """Service and type, as `rds Instance`."""
    _, module, kind = resource.type.split(":")
    return f"{module.split('/')[0]} {kind}"


def mermaid(graph: Graph) -> str:
    """The flowchart: a box for each component with what it holds, an arrow where one needs another."""
    prefix = common_prefix([each.name for each in graph.resources if not each.custom])
    component = {each.urn: graph.component_of(each) for each in graph.resources}
    held: dict[str, Counter[str]] = {}
    arrows: set[tuple[str, str]] = set()
    for resource in graph.resources:
        mine = component[resource.urn]
        if is_shown(resource):
            held.setdefault(mine, Counter())[kind_of(resource)] += 1
        for urns in resource.property_dependencies.values():
            arrows |= {(mine, component[urn]) for urn in urns if component.get(urn, mine) != mine}
    names = {name: f"c{number}" for number, name in enumerate(sorted(held))}
    lines = ["flowchart LR"]
    for name, key in names.items():
        things = "<br/>".join(f"{count} x {kind}" if count > 1 else kind for kind, count in sorted(held[name].items()))
        lines.append(f'  {key}["<b>{name.removeprefix(prefix) or name}</b><br/>{things}"]')
    lines += [f"  {names[one]} --> {names[other]}" for one, other in sorted(arrows) if one in names and other in names]
    return "\n".join(lines) + "\n"


def common_prefix(names: list[str]) -> str:
    """The name of the root component with a hyphen, which all others begin with."""
    return f"{min(names, key=len)}-" if names else ""
