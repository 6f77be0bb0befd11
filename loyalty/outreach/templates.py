"""Templates: what a shop writes to its customers, with their own facts put in. Jinja in a sandbox, and little of that.

A template may name variables, choose by `if`, and use a few filters. It has no loops, no calls and no arithmetic, so it
always ends and is never longer than what was written into it. What it names is checked before anything is sent.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from store.errors import InvalidError

CHARS_MAX = 3_500
"""Of what is written: with its label, names and a code it stays one message."""
VARIABLES = (
    "name",
    "Name",
    "you",
    "You",
    "we",
    "We",
    "points",
    "tier",
    "shop",
    "voucher",
    "code",
    "expires",
    "language",
)
"""What a template may name: the customer's name as they are spoken to, the words for them and for the shop (bạn, mình), available points (a whole number as the language writes it), tier, the
shop's name, the attached voucher's name, its code and last day."""
FILTERS = ("default", "upper", "lower", "title", "trim", "length")
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.If, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not, nodes.Const, nodes.CondExpr, nodes.Filter, nodes.Test,
)  # fmt: skip


class TemplateError(InvalidError):
    """A template that can't be taken: `problem` is syntax, unknown (variable or filter), unsupported or length; `value` the
    place or the name.
    """


def check(source: str, field: str = "messages") -> None:
    """Whether a template can be sent. Raises TemplateError."""
    if not source.strip():
        raise TemplateError(field, "required")
    if len(source) > CHARS_MAX:
        raise TemplateError(field, "length", CHARS_MAX)
    try:
        tree = _environment().parse(source)
    except TemplateSyntaxError as error:
        raise TemplateError(field, "syntax", error.lineno) from None
    for node in _all(tree):
        if not isinstance(node, _ALLOWED):
            raise TemplateError(field, "unsupported", type(node).__name__.lower())
        if isinstance(node, nodes.Name) and node.name not in VARIABLES:
            raise TemplateError(field, "unknown", node.name)
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise TemplateError(field, "unknown", node.name)
        if isinstance(node, nodes.Test) and node.name not in {"defined", "none"}:
            raise TemplateError(field, "unknown", node.name)


def names(source: str) -> set[str]:
    """The variables that a template which passed `check` names."""
    return {node.name for node in _all(_environment().parse(source)) if isinstance(node, nodes.Name)}


def render(source: str, values: Mapping[str, Any]) -> str:
    """The words for one person; a variable without a value is empty. One at the very beginning begins with a capital letter.
    Raises TemplateError, as `check` does.
    """
    words = str(_compiled(source).render(dict.fromkeys(VARIABLES, "") | dict(values))).strip()
    return words[:1].upper() + words[1:] if source.lstrip().startswith("{{") else words


@lru_cache(maxsize=256)
def _compiled(source: str) -> Any:
    check(source)
    return _environment().from_string(source)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(autoescape=False, keep_trailing_newline=False)


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)
