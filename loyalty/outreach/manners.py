"""Manners: whether, and when, somebody may be written to. What the law asks (Decree 91/2020) and what a good shop does.

Advertising: with consent, from 07:00 to 22:00 on the shop's clock, 3 in 24 hours at most. Care: until the customer says
stop, outside the shop's quiet hours, and as many in 24 hours as the shop has set. Nobody with an open complaint hears either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.customers import customers, facts
from loyalty.outreach import consents
from loyalty.outreach.deliveries import deliveries
from store import options
from store.clock import now
from store.outbox import Purpose

OPTION = "manners"
AD_FROM, AD_UNTIL = time(7), time(22)
AD_CAP = 3
DAY = timedelta(hours=24)


class Reason(StrEnum):
    """Why somebody was not written to."""

    NO_CONSENT = "no_consent"
    OPTED_OUT = "opted_out"
    COMPLAINT = "complaint_open"
    CAP = "frequency_cap"
    NO_MESSENGER = "no_messenger"
    BLOCKED = "blocked"
    GONE = "gone"
    STOPPED = "stopped"
    NO_WORDS = "no_words"
    NO_VOUCHER = "no_voucher"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the shop has set for care: from and until when it may come, and how much in 24 hours."""

    care_from: time = time(7)
    care_until: time = time(22)
    care_cap: int = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """A customer who may be written to: on which messenger account, in which chat."""

    customer_id: int
    account: str
    chat: int
    name: str
    language: str
    address: str | None


def rules(session: Session) -> Rules:
    """What is set for the installation."""
    kept = options.get(session, OPTION) or {}
    new = Rules()
    return Rules(
        care_from=time.fromisoformat(kept.get("care_from", new.care_from.isoformat())),
        care_until=time.fromisoformat(kept.get("care_until", new.care_until.isoformat())),
        care_cap=int(kept.get("care_cap", new.care_cap)),
    )


def put(session: Session, kept: Rules) -> None:
    """Set them."""
    values = {
        "care_from": kept.care_from.isoformat(), "care_until": kept.care_until.isoformat(), "care_cap": kept.care_cap,
    }  # fmt: skip
    options.put(session, OPTION, values)


def opens(purpose: Purpose, at: datetime, zone: str, kept: Rules) -> datetime | None:
    """When somebody may next be written to, None for now: hours are those of the zone's clock."""
    begin, end = (AD_FROM, AD_UNTIL) if purpose is Purpose.ADVERTISING else (kept.care_from, kept.care_until)
    if begin == end:
        return None
    here = at.astimezone(ZoneInfo(zone))
    clock = here.time()
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    if inside:
        return None
    day = here.date() if clock < begin else here.date() + timedelta(days=1)
    return datetime.combine(day, begin, ZoneInfo(zone)).astimezone(at.tzinfo)


def judge(
    session: Session, customer_ids: Sequence[int], purpose: Purpose, accounts: Sequence[str], kept: Rules
) -> Mapping[int, Reach | Reason]:
    """Who of these may be written to now, where; why not the others. `accounts`: the messengers there are. Hours aside."""
    cap = AD_CAP if purpose is Purpose.ADVERTISING else kept.care_cap
    people, met = customers.customers.c, customers.identities.c
    persons = {
        row.id: row
        for row in session.execute(
            select(people.id, people.name, people.language, people.address, people.merged_into, people.erased_at)
            .where(people.id.in_(customer_ids))
        )
    }  # fmt: skip
    doors: dict[int, list[tuple[str, int, bool]]] = {}
    for row in session.execute(
        select(met.customer_id, met.account, met.chat_id, met.unreachable_since)
        .where(met.customer_id.in_(customer_ids), met.account.in_(accounts))
        .order_by(met.last_seen_at.desc())
    ):
        doors.setdefault(row.customer_id, []).append((row.account, row.chat_id, row.unreachable_since is None))
    stands = consents.allows(session, customer_ids, purpose)
    unhappy = facts.above(session, customer_ids, facts.OPEN_COMPLAINTS, 0)
    d = deliveries.c
    heard = {
        row[0]: row[1]
        for row in session.execute(
            select(d.customer_id, func.count())
            .where(d.customer_id.in_(customer_ids), d.purpose == int(purpose), d.left_at > now(session) - DAY)
            .group_by(d.customer_id)
        )
    }  # fmt: skip

    def one(number: int) -> Reach | Reason:
        person, here = persons.get(number), doors.get(number, [])
        if person is None or person.merged_into is not None or person.erased_at is not None:
            return Reason.GONE
        open_doors = [(account, chat) for account, chat, reachable in here if reachable]
        if not open_doors:
            return Reason.BLOCKED if here else Reason.NO_MESSENGER
        agreed = [door for door in open_doors if stands[number].on(door[0].partition(":")[0])]
        if not agreed:
            return Reason.NO_CONSENT if purpose is Purpose.ADVERTISING else Reason.OPTED_OUT
        if number in unhappy:
            return Reason.COMPLAINT
        if heard.get(number, 0) >= cap:
            return Reason.CAP
        account, chat = agreed[0]
        return Reach(number, account, chat, person.name, person.language, person.address)

    return {number: one(number) for number in customer_ids}
