"""Insights, programme: points and what is owed, tiers, invitations, and whether members buy otherwise than the others."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from handlers.web.shop.frame import Frame
from handlers.web.shop.insights.asked import Place
from handlers.web.shop.insights.sections import Cell, Figure, Said, Section, Table, level, percent, text
from handlers.words import Words
from loyalty.insights import flows, friends, members, tier_moves
from loyalty.insights.flows import Flows
from loyalty.insights.friends import Funnel
from loyalty.insights.members import Joined, Members
from loyalty.insights.tier_moves import Moves


@dataclass(frozen=True, slots=True)
class Seen:
    """A look into the store: each of the period and of the one before it."""

    flows: Flows
    flowed: Flows
    moves: Moves
    moved: Moves
    funnel: Funnel
    was: Funnel
    members: Members
    were: Members


def look(session: Session, place: Place) -> Seen:
    these, was = place.scope, place.scope.before()
    return Seen(
        flows.of(session, these), flows.of(session, was), tier_moves.of(session, these), tier_moves.of(session, was),
        friends.of(session, these), friends.of(session, was), members.of(session, these), members.of(session, was),
    )  # fmt: skip


def sections(said: Words, _here: Frame, seen: Seen) -> list[Section]:
    return [
        _points(said, seen.flows, seen.flowed), _tiers(said, seen.moves, seen.moved), _friends(said, seen.funnel, seen.was),
        _members(said, seen.members, seen.were), _joined(said, seen.members.joined),
    ]  # fmt: skip


def _points(said: Words, now: Flows, was: Flows) -> Section:
    shown = Said(said)

    def counted(name: str, field: str, how: str) -> Figure:
        new, old = getattr(now, field), getattr(was, field)
        return Figure(name, shown.count(new), new, how, shown.count(old), old)

    return Section(
        said("Points"),
        figures=[
            counted(said("Issued"), "issued", said("What refunds took back is taken off")),
            counted(said("Redeemed"), "redeemed", said("Spent at this shop")),
            counted(said("Expired"), "expired", said("Nobody used them in time")),
            counted(said("Owed at the end"), "owed", said("Points of this shop that customers still have")),
            Figure(
                said("Owed, in đồng"), shown.money(now.worth), now.worth, said("by what a point pays today"), shown.money(was.worth),
                was.worth,
            ),
            Figure(
                said("Redemption rate"), shown.rate(now.redemption_rate), now.redemption_rate, said("redeemed ÷ issued"),
                shown.rate(was.redemption_rate), was.redemption_rate,
            ),
            Figure(
                said("Breakage"), shown.rate(now.breakage), now.breakage, said("expired ÷ (redeemed + expired)"),
                shown.rate(was.breakage), was.breakage,
            ),
        ],
        how=(
            said("Read from the ledger: each point that changed hands between this shop and its customers in these days."),
            said("Breakage asks of the points whose time came: how many did nobody use? Little of it means that people know their points and like what they get for them."),
            said("What is owed counts points that are still waiting for the return window to end."),
        ),
    )  # fmt: skip


def _tiers(said: Words, now: Moves, was: Moves) -> Section:
    shown = Said(said)
    left = [at for at in range(-1, len(now.names)) if any(key[0] == at for key in now.counts)]
    most = max(now.counts.values(), default=0)
    rows = [
        [text(now.names[at] if at >= 0 else said("None yet"))] + [
            Cell(shown.count(count) if count else "", count, level(count, most))
            for to in range(len(now.names))
            for count in (now.counts.get((at, to), 0),)
        ]
        for at in left
    ]  # fmt: skip
    return Section(
        said("From tier to tier"), said("How many went from the tier on the left to the one above; each move counts."),
        figures=[
            Figure(said("Rose"), shown.count(now.up), now.up, said("to a higher tier"), shown.count(was.up), was.up),
            Figure(said("Fell"), shown.count(now.down), now.down, said("to a lower tier"), shown.count(was.down), was.down),
        ],
        table=Table((said("From the tier"), *now.names), rows, heat=True) if rows else None,
        notes=() if rows else (said("Nobody changed their tier in these days."),),
    )  # fmt: skip


def _friends(said: Words, now: Funnel, was: Funnel) -> Section:
    shown = Said(said)
    steps = (
        (said("Opened the link"), "opened"), (said("Gave their number"), "joined"), (said("Bought for the first time"), "bought"),
        (said("Both were rewarded"), "paid"), (said("Refused"), "refused"),
    )  # fmt: skip
    rows = [
        [
            text(name), shown.number(count, percent(count, now.opened)), Cell(shown.of(count, now.opened), percent(count, now.opened)),
            shown.number(getattr(was, field)),
        ]
        for name, field in steps for count in (getattr(now, field),)
    ]  # fmt: skip
    return Section(
        said("Invitations"), said("What became so far of the links of this shop's customers that friends opened in these days."),
        table=Table((said("Step"), said("Friends"), said("Of those who opened"), said("Before")), rows) if now.opened or was.opened else None,
        empty="" if now.opened or was.opened else said("No invitation link was opened in these days."),
    )  # fmt: skip


def _members(said: Words, now: Members, was: Members) -> Section:
    shown = Said(said)
    rows = []
    for name, group, before in (
        (said("Members"), now.members, was.members), (said("Known by number only"), now.others, was.others),
    ):  # fmt: skip
        rows.append([
            text(name), shown.number(group.people), shown.number(group.orders),
            shown.decimal(group.orders / group.people if group.people else None),
            shown.sum(group.revenue / group.orders if group.orders else None),
            shown.sum(group.revenue / group.people if group.people else None),
            shown.share(100 * group.again / group.people if group.people else None),
            shown.sum(before.revenue / before.people if before.people else None),
        ])  # fmt: skip
    unknown = now.unknown
    if unknown.orders:
        none = Cell("–", None)
        rows.append([
            text(said("Nobody known")), none, shown.number(unknown.orders), none, shown.sum(unknown.revenue / unknown.orders), none,
            none, none,
        ])  # fmt: skip
    head = (
        said("Who"), said("Buyers"), said("Orders"), said("Orders per buyer"), said("Average order"), said("Spent by each"),
        said("Bought again"), said("Spent by each, before"),
    )  # fmt: skip
    return Section(
        said("Members beside the others"), said("A member has a messenger account here or has proved their number."),
        table=Table(head, rows),
        notes=(
            said("This doesn't say that the programme is why: people who come often are more likely to join. To know, hold some people out of a campaign and compare."),
            *((said("Fewer than {n} people on one side: a few big orders decide these numbers.", n=members.FEW),)
              if min(now.members.people, now.others.people) < members.FEW else ()),
        ),
    )  # fmt: skip


def _joined(said: Words, now: Joined) -> Section:
    shown, n = Said(said), members.SPAN.days
    title = said("Before and after joining")
    lead = said(
        "The same people in the {n} days before and after they joined; only those who had bought long enough before, and for whom the days after are over.",
        n=n,
    )
    if now.people < members.FEW:
        return Section(title, lead, empty=said(
            "{k} such people so far: too few to say anything. From {few} on, it stands here.", k=now.people, few=members.FEW
        ))  # fmt: skip
    rows = [
        [
            text(name), shown.number(orders), shown.decimal(orders / now.people), shown.sum(revenue / now.people),
            shown.sum(revenue / orders if orders else None),
        ]
        for name, orders, revenue in (
            (said("{n} days before", n=n), now.orders_before, now.revenue_before),
            (said("{n} days after", n=n), now.orders_after, now.revenue_after),
        )
    ]  # fmt: skip
    change = 100 * (now.revenue_after - now.revenue_before) / now.revenue_before if now.revenue_before else None
    return Section(
        title, lead,
        figures=[
            Figure(said("People"), shown.count(now.people), now.people, said("who joined within the last 365 days")),
            Figure(
                said("They spend"), "–" if change is None else f"{said.signed(round(change))} %", change,
                said("after joining beside before"),
            ),
        ],
        table=Table((said("When"), said("Orders"), said("Orders of each"), said("Spent by each"), said("Average order")), rows),
        notes=(
            said("People often join on a day when they buy more than usual, at Tết for example, and new customers slow down by themselves. So a rise or a fall here may have other reasons than the programme."),
        ),
    )  # fmt: skip
