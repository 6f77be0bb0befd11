"""The broadcaster: brings campaigns to people. It freezes who is meant, then writes messages into the outbox just in time.

No more than some two seconds of sending wait in the outbox, so that a stop, a pause and a withdrawn consent act at once, and
who may be written to is decided when it happens. One process does this at a time; each person's row is claimed, and their
message and voucher written, in one transaction, so a crash or a second process in between sends nothing twice.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.held import Held
from bot.messengers.messenger import Messenger
from bot.notifier import calls_of
from handlers.chat import outreach
from handlers.chat.told import Told
from loyalty.customers.customers import customers
from loyalty.outreach import deliveries, links, manners, templates
from loyalty.outreach.campaigns import campaigns, contents, costs, freezing
from loyalty.outreach.campaigns.campaigns import Campaign, CampaignState
from loyalty.outreach.campaigns.contents import Button, Picture
from loyalty.outreach.deliveries import CAMPAIGN, JOURNEY, Delivery
from loyalty.outreach.journeys import journeys
from loyalty.outreach.manners import Reach, Reason
from loyalty.points import ledger
from loyalty.tiers import tiers
from loyalty.vouchers import voucher_programs, vouchers
from store import outbox, shops
from store.clock import now
from store.engine import Store
from store.errors import ConflictError, MovedError, StoreUnreachableError
from store.outbox import Call, Purpose

LEASE = "broadcast"
TICK_SECONDS = 0.5
AHEAD_SECONDS = 2
BATCH = 40
"""People written to in one transaction: on SQLite nobody else writes meanwhile."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Mailing:
    """What is sent to many: of a campaign, or of a journey's message steps. `words` by step and language; `words_b` for those
    who are in a campaign's second half.
    """

    source: str
    source_id: int
    shop_id: int
    purpose: Purpose
    words: Mapping[int, Mapping[str, str]]
    program_id: int | None = None
    words_b: Mapping[str, str] | None = None
    pictures: Mapping[int, Sequence[Picture]] = field(default_factory=dict)
    """By step."""
    buttons: Sequence[Button] = ()
    paid: bool = False
    """It may leave faster than is free."""

    def template(self, one: Delivery, language: str) -> str | None:
        """What somebody is to hear; None where there is nothing (any more)."""
        words = self.words_b if one.variant == freezing.B else self.words.get(one.step)
        return (words.get(language) or next(iter(words.values()))) if words else None

    def names(self) -> set[str]:
        """The variables that it names."""
        every = [*self.words.values(), *([self.words_b] if self.words_b else [])]
        return set().union(*(templates.names(text) for words in every for text in words.values()))


def of_campaign(session: Session, campaign: Campaign) -> Mailing:
    """`paid` only as long as the shop still wants that."""
    return Mailing(
        CAMPAIGN, campaign.id, campaign.shop_id, Purpose(campaign.purpose), {0: campaign.messages}, campaign.program_id,
        campaign.messages_b, {0: contents.pictures_of(campaign.pictures)}, contents.buttons_of(campaign.buttons),
        campaign.paid and costs.of(session, campaign.shop_id).paid,
    )  # fmt: skip


class Broadcaster:
    """Works on the campaigns that run and the journeys' messages, in whichever process holds the lease."""

    def __init__(
        self,
        store: Store,
        messengers: Mapping[str, Messenger],
        owner: str,
        *,
        pushed: Callable[[list[Call]], None],
        root: str,
    ) -> None:
        self._store = store
        self._messengers = messengers
        self._pushed = pushed
        self._root = root
        # Two that think it is theirs for a moment do no harm: rows are claimed.
        self._held = Held(store, LEASE, owner)

    async def run(self) -> None:
        """Do what there is to do, for ever."""
        async with self._store.hub.listen(campaigns.TOPIC, deliveries.TOPIC) as heard:
            while True:
                try:
                    await self.turn()
                except (MovedError, StoreUnreachableError) as error:
                    log.warning("campaigns wait a moment", error=str(error))
                await heard.within(TICK_SECONDS)

    async def turn(self) -> None:
        """Freeze what was approved, send as much as may leave in the next moments, end what is through."""
        # In a work that writes nothing: on SQLite that is the loop's own reader, ten times as quick as a page's.
        async with self._store.work() as work:
            running, waiting, stopped = await work.read(self._to_do)
        if not (running or waiting or stopped) or not await self._held.mine():
            return
        for campaign in running:
            try:
                await self._work_on(campaign)
            except (MovedError, StoreUnreachableError):
                raise
            except Exception:
                # One that can't be worked on holds up no other.
                log.exception("a campaign could not be worked on", campaign=campaign.id)
        for journey_id, purpose in waiting:
            await self._send_all(partial(self._of_journey, journey_id=journey_id, purpose=purpose))
        for number in stopped:
            while await self._store.write(deliveries.abandon, CAMPAIGN, number, Reason.STOPPED.value):  # noqa: ASYNC110
                await asyncio.sleep(0)

    @staticmethod
    def _to_do(session: Session) -> tuple[list[Campaign], list[tuple[int, Purpose]], list[int]]:
        return campaigns.running(session), deliveries.waiting(session, JOURNEY), campaigns.to_sweep(session)

    async def _work_on(self, campaign: Campaign) -> None:
        if campaign.frozen_at is None:
            those = await self._store.read(freezing.meant, campaign.id)
            async for _ in self._store.stream(freezing.freeze, campaign.id, those):
                if not await self._held.mine():
                    return
        if campaign.state == CampaignState.APPROVED and not await self._store.write(campaigns.begin, campaign.id):
            return
        if not await self._send_all(lambda session: self._of_running(session, campaign.id)):
            await self._store.write(campaigns.finish, campaign.id)

    async def _send_all(self, mailing: Callable[[Session], Mailing | None]) -> int:
        """Batch after batch, while there is room; how many people were dealt with."""
        done = 0
        while await self._held.mine():
            async with self._store.work() as work:
                count, calls = await work.write(self._send, mailing)
                if calls:
                    work.after_commit.append(partial(self._pushed, calls))
            if not count:
                break
            done += count
            # Others write between two batches.
            await asyncio.sleep(0)
        return done

    @staticmethod
    def _of_running(session: Session, campaign_id: int) -> Mailing | None:
        campaign = campaigns.get(session, campaign_id, lock=True)
        return of_campaign(session, campaign) if campaign.state == CampaignState.SENDING else None

    @staticmethod
    def _of_journey(session: Session, journey_id: int, purpose: Purpose) -> Mailing | None:
        journey = journeys.get(session, journey_id)
        if not journey.on:
            return None
        return Mailing(
            JOURNEY, journey.id, journey.shop_id, purpose, journeys.messages(journey),
            pictures=journeys.pictures(session, journey),
        )  # fmt: skip

    def _send(self, session: Session, found: Callable[[Session], Mailing | None]) -> tuple[int, list[Call]]:
        """One batch: how many people were dealt with, and what is to leave."""
        mailing = found(session)
        if mailing is None:
            return 0, []
        purpose, kept = mailing.purpose, manners.rules(session)
        shop = shops.get(session, mailing.shop_id)
        if manners.opens(purpose, now(session), shop.timezone, kept) is not None:
            return 0, []
        room = min(BATCH, self._room(session, mailing))
        due = deliveries.due(session, mailing.source, mailing.source_id, purpose, room) if room else []
        if not due:
            return 0, []
        judged = manners.judge(session, [one.customer_id for one in due], purpose, list(self._messengers), kept)
        reached = [(one, to) for one in due if isinstance(to := judged[one.customer_id], Reach)]
        skipped = {one.id: to.value for one in due if isinstance(to := judged[one.customer_id], Reason)}
        calls: list[Call] = []
        queued: list[tuple[int, str, int, int | None, int]] = []
        for one, reach, values in self._values(session, mailing, shop.name, reached):
            template = mailing.template(one, reach.language)
            if template is None:
                # The journey was changed: this step is no more.
                skipped[one.id] = Reason.NO_WORDS.value
                continue
            voucher_id = one.voucher_id
            if mailing.program_id is not None and not contents.claimed(mailing.buttons):
                try:
                    with session.begin_nested():
                        key = f"{mailing.source}:{mailing.source_id}:{one.customer_id}"
                        given = vouchers.issue(session, mailing.program_id, one.customer_id, key=key)
                except ConflictError:
                    skipped[one.id] = Reason.NO_VOUCHER.value
                    continue
                voucher_id = given.id
            if voucher_id is not None:
                values.update(self._voucher(session, voucher_id, reach.language))
            told = outreach.told(
                template, values, purpose, reach.language, buttons=mailing.buttons, delivery_id=one.id,
                shorten=partial(self._short, session, one.id), lead=partial(self._lead, session, one.id),
            )  # fmt: skip
            message = self._calls(
                session, outreach.with_pictures(told, mailing.pictures.get(one.step, ())), one, reach, mailing
            )
            calls += message
            queued.append((one.id, reach.account, reach.chat, voucher_id, len(message)))
        deliveries.skip(session, skipped)
        deliveries.queue(session, queued)
        if calls:
            outbox.put(session, calls)
        return len(due), calls

    @staticmethod
    def _voucher(session: Session, voucher_id: int, language: str) -> dict[str, str]:
        """What a template may say of the voucher that goes with it."""
        given = vouchers.get(session, voucher_id)
        offer = voucher_programs.get(session, given.program_id)
        return outreach.voucher_values(
            language, name=offer.name, code=given.code, last_day=vouchers.last_day(session, given, offer)
        )

    def _short(self, session: Session, delivery_id: int, text: str) -> str:
        """Short links where the shop has an address of its own, else the text as it is."""
        return links.shortened(session, text, delivery_id, self._root) if self._root else text

    def _lead(self, session: Session, delivery_id: int, url: str) -> str:
        """The same of an address that a button opens."""
        return links.shortened_address(session, url, delivery_id, self._root) if self._root else url

    def _calls(
        self, session: Session, parts: Sequence[Told], one: Delivery, reach: Reach, mailing: Mailing
    ) -> list[Call]:
        """The calls of one message; how the last of them ends is how the delivery ends."""
        messenger = self._messengers[reach.account]
        calls = [
            call
            for part in parts
            for call in calls_of(
                part, (reach.account, reach.chat), purpose=mailing.purpose, rule=deliveries.PART, subject=one.id,
                ids=session.info["ids"], albums=messenger.albums,
                paid=mailing.paid and messenger.paid_rate is not None,
            )
        ]  # fmt: skip
        calls[-1].rule = deliveries.RULE
        return calls

    def _room(self, session: Session, mailing: Mailing) -> int:
        """How many messages more may wait in the outbox: what the slowest messenger sends in the next moments."""
        rates = [(mailing.paid and one.paid_rate) or one.rate for one in self._messengers.values()]
        ahead = min(rates) * AHEAD_SECONDS
        return max(0, ahead - outbox.waiting(session, Purpose.CARE))

    def _values(
        self, session: Session, mailing: Mailing, shop: str, reached: Sequence[tuple[Delivery, Reach]]
    ) -> list[tuple[Delivery, Reach, dict[str, str]]]:
        """What the template's variables are for each."""
        ids = [one.customer_id for one, _ in reached]
        named = mailing.names()
        balances = ledger.balances_of_many(session, ids, "available") if "points" in named else {}
        levels: dict[int, str] = {}
        if "tier" in named:
            ladder = tiers.every(session)
            by_id = {tier.id: tier.name for tier in ladder}
            c = customers.c
            levels = {
                row.id: by_id.get(row.tier_id, ladder[0].name)
                for row in session.execute(select(c.id, c.tier_id).where(c.id.in_(ids)))
            }
        return [
            (
                one, reach,
                outreach.values_of(
                    reach, points=balances.get(one.customer_id, 0), tier=levels.get(one.customer_id, ""), shop=shop
                ),
            )
            for one, reach in reached
        ]  # fmt: skip
