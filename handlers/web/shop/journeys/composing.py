"""Composing a journey: the editor's form as steps, and steps as the form. A form may hold what is not yet right.

The form says in the order of the page what steps there are (`at`: `NUMBER KIND PARENT BRANCH`, parent 0 for the outermost
list) and beside it what each says (`7.days`). So adding, moving and removing a step needs nothing kept on the server.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.web.shop import fields
from loyalty.outreach.journeys.steps import BRANCHES, KINDS, STEPS_MAX
from loyalty.outreach.segments.saved import Segment
from store.errors import InvalidError

Json = dict[str, Any]
ASKED: Mapping[str, tuple[str, str]] = {
    "ordered_within": ("days_since_last_order", "<="),
    "away_for": ("days_since_last_order", ">="),
    "orders_least": ("orders_count", ">="),
    "orders_exact": ("orders_count", "="),
    "spent_least": ("spend_total", ">="),
    "points_least": ("points", ">="),
    "complaints": ("open_complaints", "="),
}
"""What is asked of people without making a segment of it: a number to be filled in."""
OWN, EVERYBODY = "own", ""
NEW: Mapping[str, Mapping[str, str]] = {
    "wait": {"days": "3", "clock": "10:00", "unit": "days"},
    "until": {"weekday": "6", "at": "10:00"},
    "message": {"purpose": "care"},
    "split": {"share": "50"},
    "condition": {"ask": "orders_least", "n": "2"},
}
"""What a step that was just added says."""


@dataclass
class Node:
    """A step in the form: its settings as typed, its branches."""

    id: int
    kind: str
    said: dict[str, str]
    branches: dict[str, list["Node"]] = field(default_factory=dict)
    kept: Json | None = None
    """Criteria that were not made with this form."""


# ── What is asked of people ─────────────────────────────────────────────────────────────────────────


def asked_of(criteria: Json, segments: Sequence[Segment]) -> dict[str, str]:
    """Criteria as the form's choice: everybody, a question with its number, a segment, or as they are."""
    if criteria in ({"all": []}, None):
        return {"ask": EVERYBODY, "n": ""}
    for name, (one, op) in ASKED.items():
        if (criteria.get("field"), criteria.get("op")) == (one, op) and "days" not in criteria:
            return {"ask": name, "n": str(criteria["value"])}
    for segment in segments:
        if segment.criteria == criteria:
            return {"ask": f"segment:{segment.id}", "n": ""}
    return {"ask": OWN, "n": ""}


def criteria_of(said: Mapping[str, str], segments: Sequence[Segment], kept: Json | None) -> Json:
    """The criteria of a choice. Raises InvalidError("n") or ("ask")."""
    ask = said.get("ask", EVERYBODY)
    if ask == EVERYBODY:
        return {"all": []}
    if ask == OWN:
        if kept is None:
            raise InvalidError("ask", "unknown", ask)
        return kept
    if ask in ASKED:
        one, op = ASKED[ask]
        return {"field": one, "op": op, "value": fields.needed(said, "n")}
    for segment in segments:
        if ask == f"segment:{segment.id}":
            return segment.criteria
    raise InvalidError("ask", "unknown", ask)


# ── Steps as the form ───────────────────────────────────────────────────────────────────────────────


def nodes(listed: Sequence[Json], segments: Sequence[Segment]) -> list[Node]:
    """Steps as the form shows them."""
    return [_node(step, segments) for step in listed]


def _node(step: Json, segments: Sequence[Segment]) -> Node:
    kind, said, kept = step["kind"], {}, None
    plain = ("share", "purpose", "program", "points", "reason", "tag", "text", "name", "weekday", "date", "at")
    said = {name: str(step[name]) for name in plain if name in step}
    if kind == "wait":
        unit = "hours" if "hours" in step else "days"
        said = {"unit": unit, "days": str(step[unit]), "clock": step.get("at", "")}
    elif kind == "message":
        said |= {f"words_{language}": words for language, words in step["messages"].items()}
        said["pictures"] = " ".join(step.get("pictures", ()))
    elif kind == "condition":
        said, kept = asked_of(step["criteria"], segments), step["criteria"]
    branches = {name: nodes(step[name], segments) for name in BRANCHES.get(kind, ())}
    return Node(step["id"], kind, said, branches, kept)


# ── The form as steps ───────────────────────────────────────────────────────────────────────────────


def read(places: Sequence[str], form: Mapping[str, str], before: Sequence[Json]) -> list[Node]:
    """The steps that a form holds; a place that makes no sense is left out. `before`: the journey as it is kept."""
    kept = {step["id"]: step for step in _every(before)}
    found: dict[int, Node] = {}
    top: list[Node] = []
    for place in places[: STEPS_MAX + 1]:
        parts = place.split(" ")
        if len(parts) != 4 or not (parts[0].isdecimal() and parts[2].isdecimal()) or parts[1] not in KINDS:
            continue
        number, kind, parent, branch = int(parts[0][:9]), parts[1], int(parts[2][:9]), parts[3]
        if number in found or number == 0:
            continue
        prefix = f"{number}."
        said = {name.removeprefix(prefix): value for name, value in form.items() if name.startswith(prefix)}
        node = Node(
            number, kind, said, {name: [] for name in BRANCHES.get(kind, ())}, kept.get(number, {}).get("criteria")
        )
        if parent == 0:
            top.append(node)
        elif parent in found and branch in found[parent].branches:
            found[parent].branches[branch].append(node)
        else:
            continue
        found[number] = node
    return top


def _every(listed: Sequence[Json]) -> Iterator[Json]:
    for step in listed:
        yield step
        for name in BRANCHES.get(step["kind"], ()):
            yield from _every(step[name])


def every(listed: Sequence[Node]) -> Iterator[Node]:
    """Each step, in the order of the page."""
    for node in listed:
        yield node
        for branch in node.branches.values():
            yield from every(branch)


def steps(listed: Sequence[Node], segments: Sequence[Segment]) -> list[Json]:
    """The steps of a form, as `steps.check` reads them. Raises InvalidError naming the field, `7.days`."""
    return [_step(node, segments) for node in listed]


def _step(node: Node, segments: Sequence[Segment]) -> Json:
    said, kept = node.said, {"id": node.id, "kind": node.kind}
    try:
        match node.kind:
            case "wait":
                unit = "hours" if said.get("unit") == "hours" else "days"
                kept[unit] = fields.needed(said, "days")
                if unit == "days" and said.get("clock"):
                    kept["at"] = said["clock"]
            case "until":
                kept |= {"date": said["date"]} if said.get("date") else {"weekday": fields.needed(said, "weekday")}
                kept["at"] = said.get("at", "")
            case "condition":
                kept["criteria"] = criteria_of(said, segments, node.kept)
            case "split":
                kept["share"] = fields.needed(said, "share")
            case "message":
                words = {language: said.get(f"words_{language}", "") for language in ("vi", "en")}
                kept["messages"] = {language: text for language, text in words.items() if text}
                kept["purpose"] = said.get("purpose", "care")
                kept["pictures"] = said.get("pictures", "").split()
            case "voucher":
                kept["program"] = fields.needed(said, "program")
            case "points":
                kept |= {"points": fields.needed(said, "points"), "reason": said.get("reason", "")}
            case "tag" | "task" | "webhook":
                name = {"tag": "tag", "task": "text", "webhook": "name"}[node.kind]
                kept[name] = said.get(name, "")
    except InvalidError as error:
        raise InvalidError(f"{node.id}.{error.field}", error.problem, error.value) from None
    return kept | {name: steps(branch, segments) for name, branch in node.branches.items()}


def place_of(path: str, listed: Sequence[Node]) -> str:
    """The form's field of a place in the steps: `steps.0.then.1.days` is `7.days`. Other paths stay as they are."""
    parts = path.split(".")
    if parts[0] != "steps" or len(parts) < 2 or not parts[1].isdecimal():
        return path
    here, node, at = listed, None, 1
    while at < len(parts) and parts[at].isdecimal() and int(parts[at]) < len(here):
        node = here[int(parts[at])]
        at += 1
        if at < len(parts) and parts[at] in node.branches:
            here = node.branches[parts[at]]
            at += 1
    if node is None:
        return path
    rest = parts[at:]
    if rest[:1] == ["criteria"]:
        rest = ["ask"]
    elif rest[:1] == ["messages"]:
        rest = [f"words_{rest[1] if len(rest) > 1 else 'vi'}"]
    elif node.kind == "wait":
        rest = ["clock" if rest[:1] == ["at"] else "days"]
    return ".".join([str(node.id), *rest])


def illustrate(listed: Sequence[Node], number: int, pictures: Sequence[str]) -> None:
    """Put pictures (their addresses) behind those of a message step."""
    for node in every(listed):
        if node.id == number and node.kind == "message":
            node.said["pictures"] = " ".join([*node.said.get("pictures", "").split(), *pictures])


# ── Adding, moving, removing ────────────────────────────────────────────────────────────────────────


def act(listed: list[Node], order: str) -> None:
    """Do what a button says: `add PARENT BRANCH KIND`, `up 7`, `down 7`, `remove 7`, `drop 7 0` (of step 7's pictures the
    first). One that makes no sense does nothing.
    """
    match order.split(" "):
        case ["add", parent, branch, kind] if kind in KINDS and parent.isdecimal():
            target = listed if parent == "0" else _branch(listed, int(parent), branch)
            taken = [node.id for node in every(listed)]
            if target is not None and len(taken) < STEPS_MAX:
                fresh = max(taken, default=0) + 1
                target.append(Node(fresh, kind, dict(NEW.get(kind, {})), {name: [] for name in BRANCHES.get(kind, ())}))
        case ["drop", number, place] if number.isdecimal() and place.isdecimal():
            for node in every(listed):
                if node.id == int(number):
                    shown = enumerate(node.said.get("pictures", "").split())
                    node.said["pictures"] = " ".join(sha for at, sha in shown if at != int(place))
        case ["up" | "down" | "remove" as what, number] if number.isdecimal():
            home = _home(listed, int(number))
            if home is None:
                return
            among, at = home
            to = at + {"up": -1, "down": 1}.get(what, 0)
            if what == "remove":
                del among[at]
            elif 0 <= to < len(among):
                among[at], among[to] = among[to], among[at]


def _branch(listed: list[Node], number: int, branch: str) -> list[Node] | None:
    return next((node.branches.get(branch) for node in every(listed) if node.id == number), None)


def _home(listed: list[Node], number: int) -> tuple[list[Node], int] | None:
    """The list that a step is in, and its place there."""
    for at, node in enumerate(listed):
        if node.id == number:
            return listed, at
        for branch in node.branches.values():
            if (found := _home(branch, number)) is not None:
                return found
    return None
