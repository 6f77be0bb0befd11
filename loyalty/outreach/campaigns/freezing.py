"""Freezing: writing down who is meant by an approved campaign, in which part each is, and when each is to hear it."""

import hashlib
from bisect import bisect_right
from collections.abc import Generator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from loyalty.outreach import deliveries
from loyalty.outreach.campaigns import campaigns
from loyalty.outreach.campaigns.best_hours import BestHours
from loyalty.outreach.campaigns.campaigns import Campaign, CampaignState
from loyalty.outreach.deliveries import HELD_OUT
from loyalty.outreach.segments import criteria, segments
from store import shops
from store.clock import now
from store.outbox import Purpose

PEOPLE, PEOPLE_SHARED = 2_000, 10_000
"""Written down in one commit: on SQLite nobody else writes meanwhile, PostgreSQL waits for its disk at each."""
A, B = "A", "B"


def meant(session: Session, campaign_id: int) -> Sequence[int]:
    """Who is meant and isn't written down yet, in order."""
    campaign = campaigns.get(session, campaign_id)
    if campaign.approved_at is None:
        return ()
    zone, asked = shops.get(session, campaign.shop_id).timezone, criteria.parse(campaign.criteria)
    return segments.members(session, asked, zone, campaign.approved_at, after=campaign.frozen_to)


def freeze(session: Session, campaign_id: int, those: Sequence[int]) -> Generator[int, None, None]:
    """Write down who is meant (`those`, in order), some thousands in a commit; yields how many there are so far. For
    `store.stream`.

    It goes on where it stopped, be it by a crash, and ends at once when the campaign was stopped or paused.
    """
    hours: BestHours | None = None
    people = PEOPLE if "sqlite" in session.info else PEOPLE_SHARED
    while True:
        campaign = campaigns.get(session, campaign_id, lock=True)
        if campaign.state != CampaignState.APPROVED or campaign.frozen_at is not None:
            return
        assert campaign.approved_at is not None
        shop, purpose = shops.get(session, campaign.shop_id), Purpose(campaign.purpose)
        begins = campaign.send_at or campaign.approved_at
        if campaign.best_hour and hours is None:
            hours = BestHours.of(session, shop, purpose, begins)
        first = bisect_right(those, campaign.frozen_to)
        page = those[first : first + people]
        deliveries.plan(
            session, campaign_id, purpose, [(number, variant(campaign, number)) for number in page],
            due_at=begins, own=hours.each(session, page) if hours else None,
        )  # fmt: skip
        values: dict[str, Any] = {"planned": campaign.planned + len(page)}
        values |= {"frozen_to": page[-1]} if page else {}
        values |= {"frozen_at": now(session)} if len(page) < people else {}
        campaigns.put(session, campaign_id, **values)
        yield values["planned"]


def variant(campaign: Campaign, customer_id: int) -> str:
    """Which part of the people somebody belongs to: by a hash of the campaign and the customer, so that it is the same
    whenever and wherever it is asked, and other people are held out of each campaign.
    """
    drawn = hashlib.blake2b(f"{campaign.id}:{customer_id}".encode(), digest_size=8).digest()
    share = int.from_bytes(drawn) % 10_000
    held_out = campaign.hold_out * 100
    if share < held_out:
        return HELD_OUT
    return B if campaign.messages_b and share < held_out + (10_000 - held_out) // 2 else A
