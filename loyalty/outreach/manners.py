"""Manners: whether, and when, somebody may be written to. What the law asks (Decree 91/2020) and what a good shop does.

Advertising: with consent, from 07:00 to 22:00 on the shop's clock, 3 in 24 hours at most, never to a number on the
do-not-call list; a shop may set itself less. Care: until the customer says stop, outside the shop's quiet hours, and as many
in 24 hours as the shop has set. What campaigns, journeys and notices send counts together. Nobody with an open complaint
hears either.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.customers import customers, facts
from loyalty.outreach import consents, do_not_call
from loyalty.outreach.deliveries import deliveries
from loyalty.outreach.do_not_call import BY_PHONE
from store import audit, notices, options
from store.clock import now
from store.errors import InvalidError
from store.outbox import Purpose

OPTION = "manners"
AD_FROM, AD_UNTIL = time(7), time(22)
AD_CAP = 3
DAY, WEEK = timedelta(hours=24), timedelta(days=7)
AGAIN = timedelta(hours=1)
"""How soon it is tried again with who has heard enough."""
CAP_MAX, WEEK_CAP_MAX = 20, 100
BOTH = (Purpose.CARE, Purpose.ADVERTISING)


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
    DO_NOT_CALL = "do_not_call"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the shop has set: from and until when each may come (alike: at any hour), how many in 24 hours, and how many of
    both in 7 days (None: as many as come).
    """

    care_from: time = time(7)
    care_until: time = time(22)
    care_cap: int = 3
    ads_from: time = AD_FROM
    ads_until: time = AD_UNTIL
    ads_cap: int = AD_CAP
    week_cap: int | None = None

    def hours(self, purpose: Purpose) -> tuple[time, time]:
        """From and until when a purpose may come."""
        return (self.ads_from, self.ads_until) if purpose is Purpose.ADVERTISING else (self.care_from, self.care_until)

    def cap(self, purpose: Purpose) -> int:
        """How many of a purpose in 24 hours."""
        return self.ads_cap if purpose is Purpose.ADVERTISING else self.care_cap


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
    kept: dict[str, Any] = {
        name: time.fromisoformat(value) if isinstance(value, str) else value
        for name, value in (options.get(session, OPTION) or {}).items()
    }
    return Rules(**kept)


def put(session: Session, kept: Rules) -> None:
    """Set them."""
    options.put(session, OPTION, _written(kept))


def change(session: Session, kept: Rules, shop_id: int, actor: str) -> None:
    """Set what somebody chose, within the law. Raises InvalidError, by the rule's name."""
    for name, least, most in (
        ("care_cap", 1, CAP_MAX), ("ads_cap", 1, AD_CAP), ("week_cap", 1, WEEK_CAP_MAX),
    ):  # fmt: skip
        value = getattr(kept, name)
        if value is not None and not least <= value <= most:
            raise InvalidError(name, "range", most)
    if not AD_FROM <= kept.ads_from < kept.ads_until <= AD_UNTIL:
        raise InvalidError("ads_from", "range")
    before, after = _written(rules(session)), _written(kept)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if changed:
        put(session, kept)
        audit.record(session, actor, "manners_changed", shop_id, changed=changed)


def _written(kept: Rules) -> dict[str, Any]:
    return {
        name: value.isoformat("minutes") if isinstance(value, time) else value for name, value in asdict(kept).items()
    }


def opens(purpose: Purpose, at: datetime, zone: str, kept: Rules) -> datetime | None:
    """When somebody may next be written to, None for now: hours are those of the zone's clock."""
    begin, end = kept.hours(purpose)
    if begin == end:
        return None
    here = at.astimezone(ZoneInfo(zone))
    clock = here.time()
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    if inside:
        return None
    day = here.date() if clock < begin else here.date() + timedelta(days=1)
    return datetime.combine(day, begin, ZoneInfo(zone)).astimezone(at.tzinfo)


def heard(session: Session, customer_ids: Sequence[int], span: timedelta, *purposes: Purpose) -> Counter[int]:
    """How many messages of some purposes these were sent within the last while, by campaigns, journeys and notices."""
    d, since = deliveries.c, now(session) - span
    found: Counter[int] = Counter(notices.told(session, customer_ids, purposes, since))
    rows = session.execute(
        select(d.customer_id, func.count())
        .where(d.customer_id.in_(customer_ids), d.purpose.in_([int(one) for one in purposes]), d.left_at > since)
        .group_by(d.customer_id)
    )
    for number, count in rows:
        found[number] += count
    return found


def enough(session: Session, customer_id: int, purpose: Purpose, kept: Rules) -> bool:
    """Whether somebody has heard as much as they should for now."""
    return heard(session, [customer_id], DAY, purpose)[customer_id] >= kept.cap(purpose) or (
        kept.week_cap is not None and heard(session, [customer_id], WEEK, *BOTH)[customer_id] >= kept.week_cap
    )


def waits(session: Session, customer_id: int, purpose: Purpose, zone: str, kept: Rules) -> datetime | None:
    """Until when a message by itself waits: for the hours, or because they have heard enough for now and it is tried again
    a while later. None for now.
    """
    opening = opens(purpose, now(session), zone, kept)
    if opening is None and enough(session, customer_id, purpose, kept):
        return now(session) + AGAIN
    return opening


def judge(
    session: Session, customer_ids: Sequence[int], purpose: Purpose, accounts: Sequence[str], kept: Rules
) -> Mapping[int, Reach | Reason]:
    """Who of these may be written to now, where; why not the others. `accounts`: the messengers there are. Hours aside."""
    cap = kept.cap(purpose)
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
    spared = do_not_call.among(session, customer_ids) if purpose is Purpose.ADVERTISING else set[int]()
    lately = heard(session, customer_ids, DAY, purpose)
    in_week = heard(session, customer_ids, WEEK, *BOTH) if kept.week_cap is not None else {}

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
        allowed = [door for door in agreed if number not in spared or door[0].partition(":")[0] not in BY_PHONE]
        if not allowed:
            return Reason.DO_NOT_CALL
        if lately.get(number, 0) >= cap or (kept.week_cap is not None and in_week.get(number, 0) >= kept.week_cap):
            return Reason.CAP
        account, chat = allowed[0]
        return Reach(number, account, chat, person.name, person.language, person.address)

    return {number: one(number) for number in customer_ids}
