"""Effects: what a campaign would do if it were let go now. How many are meant, and whom of them it would reach."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.customers import directory
from loyalty.customers.customers import identities
from loyalty.outreach import manners
from loyalty.outreach.manners import Reach, Reason
from loyalty.outreach.segments import criteria, segments
from loyalty.outreach.segments.segments import Person
from store.outbox import Purpose

LOOKED_AT = 1_000
"""Of so many people it is judged whether they may be written to; of more, their share is taken for all."""
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Effect:
    """`reached` and `skipped` add up to `count`; they are about right where not `exact`."""

    count: int
    reached: int
    skipped: dict[Reason, int]
    exact: bool
    by_messenger: dict[str, int]
    """Of those reached, how many by each."""
    sample: list[Person]
    reader: Reach | None
    """The newest of those who would hear it."""


def of(session: Session, criteria_: Any, purpose: Purpose, zone: str, shop_id: int) -> Effect:
    """What it would do; named are only the shop's own customers. Raises CriteriaError."""
    found = segments.preview(session, criteria.parse(criteria_), zone, LOOKED_AT)
    accounts = list(session.execute(select(identities.c.account).distinct()).scalars())
    judged = manners.judge(session, found.sample, purpose, accounts, manners.rules(session))
    reach = [one for number in found.sample if isinstance(one := judged[number], Reach)]
    own = directory.among(session, shop_id, found.sample)
    why = Counter(one for one in judged.values() if isinstance(one, Reason))
    looked = len(found.sample) or 1
    doors = Counter(one.account.partition(":")[0] for one in reach)
    skipped = {reason: round(number * found.count / looked) for reason, number in why.most_common()}
    return Effect(
        found.count, max(0, found.count - sum(skipped.values())), skipped, found.count == len(found.sample),
        {name: round(number * found.count / looked) for name, number in doors.items()},
        segments.shown(session, own[:SHOWN]), next((one for one in reach if one.customer_id in set(own)), None),
    )  # fmt: skip
