"""How a rule is written: a small function, registered under its control's id.

A rule of one resource gets the resource and the policy. A rule of related resources gets the stack as well; a rule of
the whole stack gets no resource. Each gives a message for whatever is wrong, and nothing where all is well.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from groundplan_policies.resource import Resource, Stack
from groundplan_policies.settings import Policy

Messages = Iterable[str]
ResourceRule = Callable[[Resource, Policy], Messages]
RelatedRule = Callable[[Resource, Stack, Policy], Messages]
StackRule = Callable[[Stack, Policy], Messages]
# The inputs that a resource should have, whole.
Fix = Callable[[Resource, Policy], dict[str, Any]]


@dataclass(frozen=True)
class Rules:
    """All rules and fixes by control id."""

    resource: dict[str, ResourceRule]
    related: dict[str, RelatedRule]
    stack: dict[str, StackRule]
    fixes: dict[str, Fix]

    @property
    def ids(self) -> set[str]:
        """The controls that have a rule."""
        return {*self.resource, *self.related, *self.stack}


RULES = Rules({}, {}, {}, {})


def resource_rule(control: str) -> Callable[[ResourceRule], ResourceRule]:
    """Register a rule that sees one resource; it also holds at a preview before anything is made."""
    return registrar(control, RULES.resource)


def related_rule(control: str) -> Callable[[RelatedRule], RelatedRule]:
    """Register a rule that sees a resource and the stack around it."""
    return registrar(control, RULES.related)


def stack_rule(control: str) -> Callable[[StackRule], StackRule]:
    """Register a rule about the stack as a whole."""
    return registrar(control, RULES.stack)


def fix(control: str) -> Callable[[Fix], Fix]:
    """Register what puts a resource right; it is asked for where the rule finds something."""
    return registrar(control, RULES.fixes)


def registrar(control: str, rules: dict[str, Any]) -> Callable[[Any], Any]:
    """Put a function into a table; an id that is there twice is a mistake."""

    def register(function: Any) -> Any:
        taken = control in rules or (rules is not RULES.fixes and control in RULES.ids)
        if taken:
            raise ValueError(f"control {control} has a rule already")
        rules[control] = function
        return function

    return register
