"""Insights, habits: what customers buy, when in the week, by which way, and where they can be written to."""

from dataclasses import dataclass

from babel.dates import get_day_names
from sqlalchemy.orm import Session

from handlers.web.shop.frame import Frame
from handlers.web.shop.insights.asked import Place
from handlers.web.shop.insights.sections import Cell, Said, Section, Table, level, percent, text
from handlers.words import Words
from loyalty.insights import habits
from loyalty.insights.habits import Liked, Way
from loyalty.orders.bought import CATEGORY, ITEM

MESSENGERS = {"telegram": "Telegram", "zalo": "Zalo"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A look into the store: what is liked with what the same was liked before."""

    items: list[Liked]
    were_items: list[Liked]
    categories: list[Liked]
    were_categories: list[Liked]
    hours: list[list[int]]
    ways: list[Way]
    were_ways: list[Way]
    messengers: dict[str, int]
    were_messengers: dict[str, int]


def look(session: Session, place: Place) -> Seen:
    these, was = place.scope, place.scope.before()

    def liked(kind: int) -> tuple[list[Liked], list[Liked]]:
        found = habits.liked(session, these, kind)
        return found, habits.liked(session, was, kind, [one.name for one in found])

    return Seen(
        *liked(ITEM), *liked(CATEGORY), habits.hours(session, these), habits.ways(session, these), habits.ways(session, was),
        habits.messengers(session, these), habits.messengers(session, was),
    )  # fmt: skip


def sections(said: Words, _here: Frame, seen: Seen) -> list[Section]:
    return [
        _liked(
            said, said("What is bought"), said("Item"), seen.items, seen.were_items,
            said("The orders of these days don't say what was in them."),
        ),
        _liked(
            said, said("By category"), said("Category"), seen.categories, seen.were_categories,
            said("The orders of these days don't say of which category their items are."),
        ),
        _hours(said, seen.hours), _ways(said, seen.ways, seen.were_ways),
        _messengers(said, seen.messengers, seen.were_messengers),
    ]  # fmt: skip


def _liked(said: Words, title: str, head: str, found: list[Liked], before: list[Liked], empty: str) -> Section:
    if not found:
        return Section(title, empty=empty)
    shown, most = Said(said), found[0].orders
    was = {one.name: one.orders for one in before}
    rows = [
        [text(one.said), shown.number(one.orders, percent(one.orders, most)), shown.number(one.people), shown.number(was.get(one.name, 0))]
        for one in found
    ]  # fmt: skip
    return Section(
        title, said("In how many orders it was, the ten commonest."),
        table=Table((head, said("Orders"), said("Customers"), said("Orders before")), rows),
    )  # fmt: skip


def _hours(said: Words, hours: list[list[int]]) -> Section:
    title, most = said("When they buy"), max(max(day) for day in hours)
    if not most:
        return Section(title, empty=said("Nobody bought in these days."))
    busy = [hour for hour in range(24) if any(day[hour] for day in hours)]
    names = get_day_names("abbreviated", locale=said.language)
    rows = [
        [text(f"{hour:02}:00")] + [
            Cell(said.number(day[hour]) if day[hour] else "", day[hour], level(day[hour], most)) for day in hours
        ]
        for hour in range(busy[0], busy[-1] + 1)
    ]  # fmt: skip
    return Section(
        title, said("Orders by weekday and hour; the darker, the more."),
        table=Table((said("Hour"), *(names[day] for day in range(7))), rows, heat=True),
    )  # fmt: skip


def _ways(said: Words, found: list[Way], before: list[Way]) -> Section:
    if not found:
        return Section(said("Which way orders came"), empty=said("Nobody bought in these days."))
    shown, total = Said(said), sum(one.orders for one in found)
    names = {"till": said("At the till"), "api": said("Web shop or other software"), "import": said("From a file")}
    was = {one.source: one.orders for one in before}
    rows = [
        [
            text(names.get(one.source, one.source)), shown.number(one.orders, percent(one.orders, total)), shown.sum(one.revenue),
            shown.number(was.get(one.source, 0)),
        ]
        for one in found
    ]  # fmt: skip
    return Section(
        said("Which way orders came"), table=Table((said("Way"), said("Orders"), said("Revenue"), said("Orders before")), rows)
    )  # fmt: skip


def _messengers(said: Words, found: dict[str, int], before: dict[str, int]) -> Section:
    title, buyers = said("Where they can be written to"), found.get("", 0)
    if not buyers:
        return Section(title, empty=said("Nobody bought in these days."))
    shown = Said(said)
    rows = [
        [
            text(MESSENGERS.get(name) or (said("Web chat") if name == "web" else name)), shown.number(count, percent(count, buyers)),
            Cell(shown.of(count, buyers), percent(count, buyers)), shown.number(before.get(name, 0)),
        ]
        for name, count in sorted(found.items(), key=lambda one: -one[1]) if name
    ]  # fmt: skip
    return Section(
        title, said("Of {n} who bought in these days; somebody may be on several.", n=shown.count(buyers)),
        table=Table((said("Messenger"), said("Customers"), said("Of all"), said("Before")), rows) if rows else None,
        empty="" if rows else said("None of those who bought has a messenger account here yet."),
    )  # fmt: skip
