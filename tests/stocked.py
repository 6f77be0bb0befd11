"""A shop full of everything: one of each kind of row that an address may name, for tests that ask every address."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Any

from PIL import Image
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import import_jobs, orders, sales
from loyalty.orders.orders import OrderInput, Status
from loyalty.orders.sales import Sale
from loyalty.outreach import links
from loyalty.outreach.campaigns import drafts as campaign_drafts
from loyalty.outreach.journeys import journeys, ready
from loyalty.outreach.journeys import tasks as journey_tasks
from loyalty.outreach.segments import saved
from loyalty.outreach.segments.saved import Policy
from loyalty.points import adjustments
from loyalty.recognition import badges, drafts, draws, prizes, quests, surprises, thanks, wins
from loyalty.recognition.badges import BadgeInput
from loyalty.recognition.drafts import DrawInput
from loyalty.recognition.draws import ASSURANCES, EntryBy, Mode
from loyalty.recognition.prizes import PrizeInput, PrizeKind
from loyalty.recognition.quests import QuestInput
from loyalty.recognition.surprises import When
from loyalty.recognition.visits import Measure
from loyalty.referrals import referrals
from loyalty.tiers import tiers
from loyalty.vouchers import batches, reservations, voucher_programs, vouchers
from loyalty.vouchers.redemptions import Redemption
from loyalty.vouchers.voucher_programs import Kind
from store import deliveries, media, sealed, shops, staff, webchat, webhooks
from store.base import table
from store.clock import now
from store.media import File
from store.staff import Member, Role
from support import fields, messages, tags, tickets, topics, views
from support.answers import articles, macros
from support.answers.articles import Wording
from support.care import incidents, plans
from support.care.incidents import Reach
from support.complaints import goodwill
from support.deadlines import escalations, policies, promises
from support.duties import erasures
from support.routing import rules, teams

SECRET = "Zxqvw"
"""Stands in every name and text of a shop's rows, so that a page which shows one of them is found out."""


def picture() -> bytes:
    """A small PNG."""
    out = BytesIO()
    Image.new("RGB", (600, 600), "teal").save(out, "PNG")
    return out.getvalue()


PICTURE = picture()
_numbers = itertools.count(1)


@dataclass
class Stock:
    """A shop and how its rows are made: `make(session, "offer")` gives the number of a new one."""

    shop: int
    owner: Member
    agent: Member
    said: str
    """What its rows are called."""
    kept: dict[str, str] = field(default_factory=dict)

    def make(self, session: Session, kind: str) -> str:
        """A new row of a kind, as an address names it."""
        return str(MAKERS[kind](session, self))

    def one(self, session: Session, kind: str) -> str:
        """A row of a kind that stays, made where there is none yet."""
        if kind not in self.kept:
            self.kept[kind] = self.make(session, kind)
        return self.kept[kind]

    def number(self, session: Session, kind: str) -> int:
        return int(self.one(session, kind))


def open_stock(session: Session, name: str, said: str) -> Stock:
    """A shop with an owner and an agent."""
    shop = programme.open_shop(session, name, timezone="Asia/Ho_Chi_Minh", language="vi")
    people = [staff.get(session, staff.add(session, said, role, shop, "en")) for role in (Role.OWNER, Role.AGENT)]
    return Stock(shop, *people, said)


def customer(session: Session, at: Stock) -> int:
    phone = f"+8490{next(_numbers):07d}"
    return customers.create(session, name=at.said, phone=phone, home_shop_id=at.shop)


def order(session: Session, at: Stock) -> str:
    name = f"{at.said}-{next(_numbers)}"
    buyer = at.number(session, "customer")
    orders.put(session, at.shop, name, OrderInput(90_000, "VND", now(session), Status.COMPLETED, customer_id=buyer))
    return name


def ticket(session: Session, at: Stock) -> int:
    joined = tickets.open_or_join(session, customer(session, at), at.shop)
    messages.customer_says(session, joined.ticket.id, text=at.said)
    return joined.ticket.id


def message(session: Session, at: Stock) -> int:
    key = f"{next(_numbers):016d}"
    return messages.agent_says(session, at.number(session, "ticket"), at.owner, at.said, key=key)


def attachment(session: Session, at: Stock) -> int:
    sha = media.keep(session, PICTURE, "image/png", 1, 1)
    files = [File("photo", "image/png", sha=sha)]
    said = messages.customer_says(session, at.number(session, "ticket"), text=at.said, files=files)
    found = table(messages.TicketFileRow)
    return session.execute(select(found.c.attachment_id).where(found.c.message_id == said.message_id)).scalar_one()


def view(session: Session, at: Stock) -> int:
    return views.add(session, at.owner, at.said, views.Filters(), shared=True, shop_id=at.shop)


def macro(session: Session, at: Stock) -> int:
    return macros.create(session, at.shop, macros.Draft(f"{at.said} {next(_numbers)}", {"vi": at.said}), at.owner)


def promise(session: Session, at: Stock) -> int:
    due = now(session) + timedelta(days=2)
    return promises.make(session, at.number(session, "ticket"), at.owner, at.said, due)


def escalation(session: Session, at: Stock) -> int:
    held = tickets.get(session, ticket(session, at))
    policies.save(session, at.shop, policies.Policy())
    escalations.begin(session, held, "first", held.id, now(session), policies.current(session, at.shop))
    found = escalations.escalations.c
    return session.execute(select(found.id).where(found.ticket_id == held.id)).scalar_one()


def kindness(session: Session, at: Stock) -> int:
    key = f"kind:{next(_numbers)}"
    return goodwill.give(session, key, ticket(session, at), at.agent, amount=900, reason=at.said).id


def offer(session: Session, at: Stock) -> int:
    return voucher_programs.add(
        session, name=at.said, kind=Kind.AMOUNT, value=10_000, shop_id=at.shop, price_points=5
    ).id


def pictured(session: Session, at: Stock) -> int:
    """An offer with a picture."""
    number = offer(session, at)
    sha = media.keep(session, PICTURE, "image/png", 1, 1)
    voucher_programs.change(session, number, image=sha)
    return number


def voucher(session: Session, at: Stock) -> str:
    return vouchers.issue_many(session, at.number(session, "offer"), 1)[0]


def redemption(session: Session, at: Stock) -> int:
    held = reservations.reserve(
        session, voucher(session, at), shop_id=at.shop, order=f"R{next(_numbers)}", order_total=90_000, actor="key:1"
    )
    assert isinstance(held, Redemption)
    return held.id


def batch(session: Session, at: Stock) -> int:
    return batches.start(session, offer(session, at), 5, name=at.said, actor="staff:1").id


def prize(at: Stock) -> PrizeInput:
    return PrizeInput(at.said, PrizeKind.THING, stock=9, value=1_000)


def quest(session: Session, at: Stock) -> int:
    return quests.add(session, at.shop, QuestInput(at.said, Measure.ORDERS, 3, prize(at))).id


def win(session: Session, at: Stock) -> int:
    key, buyer = f"win:{next(_numbers)}", at.number(session, "customer")
    given = prizes.add(session, at.shop, prize(at))
    return wins.give(session, key, given, buyer, cause=wins.Cause.QUEST, cause_id=at.number(session, "quest")).id


def badge(session: Session, at: Stock) -> int:
    sha = media.keep(session, PICTURE, "image/png", 1, 1)
    return badges.add(session, at.shop, BadgeInput(at.said, "☕", picture=sha)).id


def draw(session: Session, at: Stock) -> int:
    ends = now(session) + timedelta(days=9)
    told = DrawInput(at.said, Mode.ODDS, EntryBy.ORDER, 50_000, ends, [(prize(at), 200)])
    return drafts.add(session, at.shop, told).id


def lucky(session: Session, at: Stock) -> int:
    number = draw(session, at)
    draws.open_draw(session, number, at.shop, f"staff:{at.owner.id}", ASSURANCES)
    return number


def surprise(session: Session, at: Stock) -> int:
    given = PrizeInput(at.said, PrizeKind.POINTS, points=5)
    return surprises.add(session, at.shop, at.said, When.RETURN, 30, given).id


def task(session: Session, at: Stock) -> int:
    return thanks.add(session, at.shop, at.number(session, "customer"), at.said, key=str(next(_numbers))).id


def referral(session: Session, at: Stock) -> int:
    host, friend = customer(session, at), customer(session, at)
    return session.execute(
        insert(table(referrals.ReferralRow))
        .values(
            referrer_id=host, friend_id=friend, opened_at=now(session), state=referrals.State.REFUSED.value,
            reason=referrals.Reason.KNOWN_PHONE.value, shop_id=at.shop,
        )
        .returning(table(referrals.ReferralRow).c.id)
    ).scalar_one()  # fmt: skip


def adjustment(session: Session, at: Stock) -> int:
    key = str(next(_numbers))
    return adjustments.ask(
        session, key, staff_id=at.agent.id, shop_id=at.shop, customer_id=at.number(session, "customer"), points=7,
        reason=at.said,
    ).id  # fmt: skip


def job(session: Session, at: Stock) -> int:
    content, header = b"phone,name\n0903123456,Lan\n", ["phone", "name"]
    columns = {name: place for place, name in enumerate(header)}
    return import_jobs.add(
        session, at.shop, f"staff:{at.owner.id}", "customers", f"{at.said}.csv", content, header, columns, 1
    ).id


def team(session: Session, at: Stock) -> int:
    name = f"{at.said} {next(_numbers)}"
    return teams.save(session, at.owner, at.shop, None, name=name, everyone=True, listed=())


def routing_rule(session: Session, at: Stock) -> int:
    language = f"{'vi' if next(_numbers) % 2 else 'en'}"
    return rules.add(session, at.owner, at.shop, team(session, at), language=language)


def webhook(session: Session, at: Stock) -> int:
    secret = sealed.of(session).close("whsec_x")
    return webhooks.add(session, at.shop, f"https://{at.said}.example/x".lower(), ["*"], secret, note=at.said).id


def delivery(session: Session, at: Stock) -> int:
    return deliveries.ping(session, at.number(session, "webhook"), at.shop, f"ping_{next(_numbers)}")


def sale(session: Session, at: Stock) -> int:
    key = f"sale:{next(_numbers):06d}"
    sold = sales.sell(session, shop_id=at.shop, staff_id=at.owner.id, key=key, amount=50_000)
    assert isinstance(sold, Sale)
    return sold.id


def api_key(session: Session, at: Stock) -> int:
    staff.add_api_key(session, at.shop, at.said)
    return staff.api_keys(session, at.shop)[0].id


def campaign(session: Session, at: Stock) -> int:
    told = campaign_drafts.Draft(at.said, {"all": []}, "care", {"vi": "Chào {name}", "en": "Hello {name}"})
    return campaign_drafts.add(session, at.shop, told, "key:1").id


def segment(session: Session, at: Stock) -> int:
    return saved.add(session, at.shop, f"{at.said} {next(_numbers)}", {"all": []}, Policy(), "staff:1").id


def journey(session: Session, at: Stock) -> int:
    said = ready.READY["thank_you"]
    return journeys.add(session, at.shop, "staff:1", name=at.said, trigger=said.trigger, steps=said.steps).id


def journey_task(session: Session, at: Stock) -> int:
    key, buyer = str(next(_numbers)), at.number(session, "customer")
    journey_tasks.add(session, at.shop, at.number(session, "journey"), buyer, at.said, key)
    found = journey_tasks.tasks.c
    return session.execute(select(found.id).where(found.key == key)).scalar_one()


def plan(session: Session, at: Stock) -> int:
    return plans.add(session, at.owner, at.shop, at.said, "call", 30, at.owner.id)


def care_task(session: Session, at: Stock) -> int:
    at.one(session, "order")
    number = plan(session, at)
    plans.put_in(session, number, at.owner, at.shop, [at.number(session, "customer")], now(session))
    found = table(plans.TaskRow).c
    return session.execute(select(found.id).where(found.plan_id == number)).scalar_one()


def tag(session: Session, at: Stock) -> int:
    name = f"{at.said} {next(_numbers)}"
    tags.put(session, at.number(session, "ticket"), at.owner, name)
    return next(one.id for one in tags.every(session, [at.shop]) if one.name == name)


def link(session: Session, _at: Stock) -> str:
    token = f"{next(_numbers):010d}"
    session.execute(
        insert(table(links.LinkRow)).values(token=token, delivery_id=1, url="https://pho.example/menu", clicks=0)
    )
    return token


def bubble(session: Session, at: Stock) -> int:
    sha = media.keep(session, PICTURE, "image/png", 1, 1)
    chat = int(at.kept["chat"])
    item = {"kind": "photo", "sha": sha, "mime": "image/png", "name": at.said}
    return webchat.add(session, chat, "shop", text=at.said, media=[item])


Maker = Callable[[Session, Stock], Any]
MAKERS: dict[str, Maker] = {
    "shop": lambda _session, at: at.shop,
    "slug": lambda session, at: shops.get(session, at.shop).slug,
    "tier": lambda session, _at: tiers.every(session)[1].id,
    "customer": customer, "order": order, "ticket": ticket, "message": message, "attachment": attachment, "view": view,
    "macro": macro, "promise": promise, "escalation": escalation, "goodwill": kindness, "offer": offer,
    "voucher": voucher, "redemption": redemption, "batch": batch, "quest": quest, "win": win, "badge": badge,
    "draw": draw, "lucky": lucky, "surprise": surprise, "task": task, "referral": referral, "adjustment": adjustment,
    "import": job, "team": team, "routing_rule": routing_rule, "webhook": webhook, "delivery": delivery, "sale": sale,
    "key": api_key, "campaign": campaign, "link": link, "bubble": bubble,
    "segment": segment, "journey": journey, "journey_task": journey_task, "plan": plan, "care_task": care_task,
    "list": lambda session, at: saved.add_list(session, at.shop, f"{at.said} {next(_numbers)}", "staff:1").id,
    "incident": lambda session, at: incidents.begin(
        session, at.owner, at.shop, at.said, at.said, Reach(tickets=(at.number(session, "ticket"),))
    ),
    "erasure": lambda session, at: erasures.ask(session, customer(session, at), at.shop).id,
    "thanks_rule": lambda session, at: thanks.add_rule(session, at.shop, thanks.Why.ORDERS, 20, at.said).id,
    "tag": tag,
    "topic": lambda session, at: topics.add(session, at.shop, at.owner, f"{at.said} {next(_numbers)}"),
    "field": lambda session, at: fields.add(session, at.shop, at.owner, f"{at.said} {next(_numbers)}", "text"),
    "article": lambda session, at: articles.create(
        session, at.shop, Wording({"vi": f"{at.said} {next(_numbers)}"}, {"vi": at.said}), at.owner, publish=True
    ),
    "image": pictured, "agent": lambda _session, at: at.agent.id,
    "member": lambda session, at: staff.add(session, at.said, Role.CASHIER, at.shop),
}  # fmt: skip
"""Each kind of row that a table of addresses may name."""
