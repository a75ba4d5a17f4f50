"""The architecture of a stack, as Mermaid or SVG: components, what they hold, and who refers to whom."""

from collections import Counter
from dataclasses import dataclass
from xml.sax.saxutils import escape

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
# Pixels of the SVG.
WIDTH, GAP, LINE, MARGIN = 220, 80, 18, 20


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


@dataclass(frozen=True)
class Picture:
    """What a diagram shows: the lines of each component's box, and the arrows between components."""

    boxes: dict[str, list[str]]
    arrows: list[tuple[str, str]]


def picture(graph: Graph) -> Picture:
    """The components that hold something worth showing, and who needs whom."""
    prefix = common_prefix([each.name for each in graph.resources if not each.custom])
    component = {each.urn: graph.component_of(each).removeprefix(prefix) for each in graph.resources}
    held: dict[str, Counter[str]] = {}
    arrows: set[tuple[str, str]] = set()
    for resource in graph.resources:
        mine = component[resource.urn]
        if is_shown(resource):
            held.setdefault(mine, Counter())[kind_of(resource)] += 1
        for urns in resource.property_dependencies.values():
            arrows |= {(mine, component[urn]) for urn in urns if component.get(urn, mine) != mine}
    boxes = {
        name: [f"{count} x {kind}" if count > 1 else kind for kind, count in sorted(kinds.items())]
        for name, kinds in sorted(held.items())
    }
    return Picture(boxes, sorted(pair for pair in arrows if set(pair) <= boxes.keys()))


def mermaid(graph: Graph) -> str:
    """The picture as a Mermaid flowchart."""
    shown = picture(graph)
    names = {name: f"c{number}" for number, name in enumerate(shown.boxes)}
    lines = ["flowchart LR"]
    lines += [f'  {names[name]}["<b>{name}</b><br/>{"<br/>".join(kinds)}"]' for name, kinds in shown.boxes.items()]
    lines += [f"  {names[one]} --> {names[other]}" for one, other in shown.arrows]
    return "\n".join(lines) + "\n"


def columns(shown: Picture) -> list[list[str]]:
    """Boxes from left to right: each stands left of what it needs; arrows in a circle are ignored."""

    def depth(name: str, seen: tuple[str, ...] = ()) -> int:
        needed = [other for one, other in shown.arrows if one == name and other not in (*seen, name)]
        return 1 + max((depth(other, (*seen, name)) for other in needed), default=-1)

    depths = {name: depth(name) for name in shown.boxes}
    return [[name for name in shown.boxes if depths[name] == place] for place in range(max(depths.values()), -1, -1)]


def svg(graph: Graph) -> str:
    """The picture as SVG, for documents that do not know Mermaid."""
    shown = picture(graph)
    places: dict[str, tuple[int, int, int]] = {}
    for column, names in enumerate(filter(None, columns(shown))):
        top = MARGIN
        for name in names:
            height = LINE * (len(shown.boxes[name]) + 2)
            places[name] = (MARGIN + column * (WIDTH + GAP), top, height)
            top += height + LINE
    right = max(left for left, _, _ in places.values()) + WIDTH + MARGIN
    bottom = max(top + height for _, top, height in places.values()) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{right}" height="{bottom}" font-family="sans-serif" '
        f'font-size="12">',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="3" orient="auto">'
        '<path d="M0,0 L7,3 L0,6 z" fill="#888"/></marker></defs>',
    ]
    for one, other in shown.arrows:
        x1, y1 = places[one][0] + WIDTH, places[one][1] + places[one][2] // 2
        x2, y2 = places[other][0], places[other][1] + places[other][2] // 2
        parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#888" marker-end="url(#tip)"/>')
    for name, (x, y, height) in places.items():
        parts.append(f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{height}" rx="4" fill="#fff" stroke="#345"/>')
        parts.append(f'<text x="{x + 8}" y="{y + LINE}" font-weight="bold">{escape(name)}</text>')
        for number, kind in enumerate(shown.boxes[name], start=2):
            parts.append(f'<text x="{x + 8}" y="{y + LINE * number}">{escape(kind)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def common_prefix(names: list[str]) -> str:
    """The name of the root component with a hyphen, which all others begin with."""
    return f"{min(names, key=len)}-" if names else ""
