"""The rows that a report is counted over, as tables to take along: whoever counts them again comes to the page's figures."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from handlers.web.shop.deadlines.policy import kinds
from handlers.web.shop.sheets_out import Cell, Sheet
from handlers.words import Words
from support.messages import CUSTOMER
from support.reports.rows import Of, Rows

NAMES = ("cases", "stints", "deadlines", "messages")


class Names:
    """What rows are called in words: topics by key, agents and shops by number."""

    def __init__(self, topics: Mapping[str, str], agents: Mapping[int, str], shops: Mapping[int, str]) -> None:
        self.topics, self.agents, self.shops = topics, agents, shops

    def of(self, one: Of) -> tuple[str, str, str]:
        return self.shops[one.shop_id], self.topics.get(one.topic, one.topic), self.agent(one.agent_id)

    def agent(self, agent_id: int | None) -> str:
        return self.agents.get(agent_id, f"#{agent_id}") if agent_id is not None else ""


def sheet(said: Words, name: str, rows: Rows, names: Names, zone: ZoneInfo) -> Sheet:
    """One of NAMES as a table; moments on the zone's clock, durations in seconds."""
    whose = (said("Shop"), said("Topic"), said("Agent"))

    def at(moment: datetime | None) -> str:
        return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    def cell(value: int | None) -> Cell:
        return "" if value is None else value

    def yes(value: Any) -> str:
        return said("yes") if value else said("no")

    def cases() -> Iterator[tuple[Cell, ...]]:
        for one in rows.cases:
            yield (
                one.id, *names.of(one.of), at(one.opened_at), at(one.first_at), cell(one.first_seconds), one.answers,
                at(one.complained_at), yes(one.repeats), cell(one.stars), at(one.rated_at),
            )  # fmt: skip

    def stints() -> Iterator[tuple[Cell, ...]]:
        for one in rows.stints:
            yield (
                one.case_id, *names.of(one.of), one.number, at(one.begins_at), at(one.ends_at), cell(one.seconds),
                yes(not one.last), one.answers,
            )  # fmt: skip

    head: tuple[str, ...]
    if name == "cases":
        head = (
            said("Case"), *whose, said("Opened"), said("First answer"), said("Open seconds until then"), said("Answers"),
            said("Complaint since"), said("Repeats another"), said("Stars"), said("Rated"),
        )  # fmt: skip
        return Sheet(said("Cases"), head, list(cases()))
    if name == "stints":
        head = (
            said("Case"), *whose, said("Time around"), said("Begun"), said("Solved"), said("Open seconds since it was opened"),
            said("Came back"), said("Answers"),
        )  # fmt: skip
        return Sheet(said("Solving"), head, list(stints()))
    if name == "deadlines":
        called = dict(kinds(said))
        head = (said("Case"), *whose, said("Deadline"), said("Known"), said("Kept"))
        lines: list[tuple[Cell, ...]] = [
            (one.case_id, *names.of(one.of), called[one.kind], at(one.at), yes(one.kept)) for one in rows.deadlines
        ]
        return Sheet(said("Deadlines"), head, lines)
    head = (*whose, said("Quarter of an hour"), said("Written by"), said("Messages"))
    lines = [
        (*names.of(one.of), at(one.at), said("Customer") if one.who == CUSTOMER else said("Agent"), one.count)
        for one in rows.loads
    ]
    return Sheet(said("Messages"), head, lines)
