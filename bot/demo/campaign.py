"""The demo's campaign: an offer of twelve days ago, sent by the real rules, read, tapped and used, with its report."""

import random
from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from bot.demo import post
from bot.demo.past import as_of
from bot.demo.trade import MENU, ZONE
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.outreach import consents, deliveries, links
from loyalty.outreach.campaigns import campaigns, contents, drafts, freezing, terms
from loyalty.outreach.campaigns.contents import Button, ButtonKind
from loyalty.outreach.campaigns.drafts import Draft
from loyalty.outreach.campaigns.terms import Terms
from loyalty.outreach.deliveries import CAMPAIGN, Delivery
from loyalty.vouchers import reservations, voucher_programs, vouchers
from loyalty.vouchers.redemptions import Redemption
from loyalty.vouchers.voucher_programs import Kind, Program
from store import shops, webchat
from store.clock import now
from store.outbox import Purpose

AGO = timedelta(days=12)
HOLD_OUT = 10
MARGIN = 60
"""Per cent of a price that are left to the shop."""
WORDS = (
    "{{ Name }} ơi, trà đào cam sả của quán trở lại rồi! Tuần này {{ you }} ghé {{ shop }}, quán giảm {{ you }} 20.000đ cho hóa "
    "đơn từ 60.000đ.\n\nMã của {{ you }}: {{ code }}, dùng đến {{ expires }}."
)
READS, TAPS, BUYS = 80, 55, 45
"""Of a hundred who hear it: so many read it, open their vouchers from it, come with it."""


def run(session: Session, shop_id: int, actor: str, seed: int) -> int:
    """Have it written, sent and answered; how many orders came of it."""
    terms.change(session, Terms(margin=MARGIN), shop_id, actor)
    began = datetime.combine(now(session).astimezone(ZONE).date() - AGO, time(10, 30), ZONE)
    offer, campaign_id = as_of(session, began, _write, shop_id, actor)
    reached = as_of(session, began, _send, campaign_id)
    rng, count = random.Random(seed), 0
    for one, chat_id, number, code in reached:
        reads, taps, buys = (rng.randrange(100) < share for share in (READS, TAPS, BUYS))
        at = began + timedelta(minutes=rng.randrange(3, 600))
        if reads or taps:
            as_of(session, at, webchat.seen, chat_id, number)
        if taps:
            as_of(session, at, links.tapped, one.id, 0)
        if buys:
            count += 1
            at = began + timedelta(days=rng.randrange(1, 6), hours=rng.randrange(-2, 9), minutes=rng.randrange(60))
            as_of(session, at, _buy, shop_id, offer, one.customer_id, code, f"PC-{2000 + count}", rng)
    no_more = reached[-1][0].customer_id
    as_of(
        session, began + timedelta(hours=1), consents.record, no_more, Purpose.ADVERTISING, agreed=False,
        proof={"way": "button", "account": "web"},
    )  # fmt: skip
    return count


def _write(session: Session, shop_id: int, actor: str) -> tuple[Program, int]:
    offer = voucher_programs.add(
        session, name="Giảm 20.000đ mừng trà đào trở lại", kind=Kind.AMOUNT, value=20_000, min_order=60_000, valid_days=10,
        hidden=True,
    )  # fmt: skip
    campaign = drafts.add(
        session, shop_id,
        Draft(
            name="Trà đào cam sả trở lại", criteria={"field": "orders_count", "op": ">=", "value": 2},
            purpose="advertising", messages={"vi": WORDS}, hold_out=HOLD_OUT, program_id=offer.id,
            buttons=[Button(ButtonKind.OPEN, {"vi": "Xem thực đơn quà"}, "rewards")],
        ),
        actor,
    )  # fmt: skip
    campaigns.approve(session, campaign.id, shop_id, actor)
    return offer, campaign.id


def _send(session: Session, campaign_id: int) -> list[tuple[Delivery, int, int, str]]:
    """Freeze it and bring it into everybody's chat: (delivery, chat, message, code) of each."""
    for _ in freezing.freeze(session, campaign_id, freezing.meant(session, campaign_id)):
        pass
    campaigns.begin(session, campaign_id)
    campaign = campaigns.get(session, campaign_id)
    shop, buttons = shops.get(session, campaign.shop_id), contents.buttons_of(campaign.buttons)
    assert campaign.program_id is not None
    reached = []
    due = deliveries.due(session, CAMPAIGN, campaign_id, Purpose.ADVERTISING, campaign.planned)
    for one, to in post.reach(session, due, Purpose.ADVERTISING):
        key = f"{CAMPAIGN}:{campaign_id}:{one.customer_id}"
        given = vouchers.issue(session, campaign.program_id, one.customer_id, key=key)
        number = post.bring(session, one, to, WORDS, Purpose.ADVERTISING, shop.name, given.id, buttons)
        reached.append((one, to.chat, number, given.code))
    campaigns.finish(session, campaign_id)
    return reached


def _buy(
    session: Session, shop_id: int, offer: Program, customer_id: int, code: str, number: str, rng: random.Random
) -> None:
    bought = [MENU[3], rng.choice(MENU[4:6]), *rng.sample(MENU[6:9], rng.randrange(2))]
    total = sum(price for _, price in bought)
    held = reservations.reserve(
        session, code, shop_id=shop_id, order=number, order_total=total, actor="demo", customer_id=customer_id
    )
    assert isinstance(held, Redemption)
    told = OrderInput(
        total=total - offer.value, currency="VND", placed_at=now(session), customer_id=customer_id, status=Status.COMPLETED,
        items=[{"name": name, "quantity": 1, "price": price} for name, price in bought], redemptions=[held.id],
    )  # fmt: skip
    orders.put(session, shop_id, number, told, source="till", quiet=True)
