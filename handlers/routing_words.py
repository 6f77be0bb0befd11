"""Routing in words: why a ticket came to somebody, and why the others didn't get it. For the desk and the console."""

from typing import Any

from handlers.words import Words
from support.routing.decision import Status, WhyNot


def routed(said: Words, data: dict[str, Any]) -> str:
    """A decision as the ticket's history keeps it (support.routing.router): one sentence, then a line for each candidate."""
    return "\n".join([_headline(said, data), *(candidate(said, one) for one in data["candidates"])])


def _headline(said: Words, data: dict[str, Any]) -> str:
    name, team, before = data["name"], data["team"], data.get("from")
    if before and name:
        return said("From {other} to {name}: {why}", other=before, name=name, why=left(said, before, data["why"]))
    if before:
        return said("Back with {team}: {why}", team=team, why=left(said, before, data["why"]))
    if name and data["again"]:
        return said("For {name} of {team}, who answered this customer last time", name=name, team=team)
    if name:
        return said("For {name} of {team}", name=name, team=team)
    return said("Waits with {team}: nobody there can take it right now", team=team)


def left(said: Words, name: str, why: str) -> str:
    """Why somebody's tickets moved on."""
    known = {
        "away": said("{name} is away", name=name), "offline": said("{name} is offline", name=name),
        "off_shift": said("{name}'s shift is over", name=name), "left": said("{name} no longer works here", name=name),
    }  # fmt: skip
    return known.get(why, why)


def candidate(said: Words, one: dict[str, Any]) -> str:
    """A candidate: {name, load, cap, why_not}."""
    load = said("{n} of {most} open", n=said.number(one["load"]), most=said.number(one["cap"]))
    return f"{one['name']}: {load} · {why_not(said, one['why_not'])}"


def why_not(said: Words, why: str | None) -> str:
    """What keeps somebody from a ticket."""
    known: dict[str | None, str] = {
        None: said("could take it"), Status.AWAY: said("is away"), Status.OFF_SHIFT: said("is off their shift"),
        Status.OFFLINE: said("is offline"), WhyNot.GAVE_BACK: said("has just put it back"),
        WhyNot.TOPIC: said("doesn't take this topic"), WhyNot.LANGUAGE: said("doesn't take this language"),
        WhyNot.TIER: said("doesn't take this tier"), WhyNot.FULL: said("has no room"),
    }  # fmt: skip
    return known.get(why, why or "")


def status(said: Words, found: Status) -> str:
    """Whether somebody is there."""
    return {
        Status.HERE: said("Here"), Status.AWAY: said("Away"), Status.OFF_SHIFT: said("Off shift"),
        Status.OFFLINE: said("Offline"),
    }[found]  # fmt: skip
