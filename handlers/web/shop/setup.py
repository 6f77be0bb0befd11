"""Set-up: the first day as a list that ticks itself off, the bot's token, a test message, the backup."""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty.customers import customers
from loyalty.orders import import_jobs, orders
from loyalty.vouchers import voucher_programs
from store import audit, options, outbox, staff
from store.base import table
from store.clock import now
from store.errors import ConflictError, ForbiddenError, RuleError
from store.outbox import Call, Purpose
from store.signals import signal
from store.staff import StaffAccount

PLACE = "/shop/setup"
TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{3,100}")
TEST = "telegram_test"
LATE = timedelta(hours=30)
"""A backup that is older than this was missed."""
_accounts = table(StaffAccount)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store knows of the set-up."""

    token: dict[str, Any] | None
    forum: dict[str, Any] | None
    mine: bool
    """The reader's own messenger account is bound."""
    team: int
    offers: bool
    customers: bool
    orders: bool
    poster: bool
    backup: dict[str, Any] | None
    test: str | None
    """The state of the last test message."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do on the first day."""

    key: str
    done: bool
    title: str
    words: str
    href: str
    action: str


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request, "")


async def _page(request: web.Request, error: str, status: int = 200) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    installation = request.config_dict[site.SITE]
    facts = await site.store_of(request).read(_facts, here, installation.links)
    steps = _steps(said, here, facts, by_setting=installation.telegram_by_setting)
    context = {
        "facts": facts, "steps": steps, "done": sum(step.done for step in steps), "error": error,
        "by_setting": installation.telegram_by_setting, "test": _tests(said).get(facts.test or ""),
        "backup_at": _moment(facts.backup), "backup_on": installation.backups, "may_all": here.rules_all,
    }  # fmt: skip
    return await frame.render(request, "shop/setup.html", context, page="setup", status=status)


def _facts(session: Session, here: Frame, links: Any) -> Facts:
    def some(*where: Any) -> bool:
        return session.execute(select(1).where(*where).limit(1)).first() is not None

    shop_id = here.shop.id
    telegram = [link for name, link in links("") if name.casefold() != "web"]
    token = options.get(session, options.TOKEN) or (
        {"username": telegram[0].rpartition("/")[2].split("?")[0]} if telegram else None
    )
    test = options.get(session, TEST)
    sent = outbox.result_of(session, test["call"]) if test and test.get("staff") == here.member.id else None
    programs = table(voucher_programs.VoucherProgram)
    roles = table(staff.StaffRole)
    people = select(func.count(func.distinct(roles.c.staff_id))).join(
        table(staff.StaffRow), (table(staff.StaffRow).c.id == roles.c.staff_id) & table(staff.StaffRow).c.active
    )
    return Facts(
        token=token,
        forum=options.get(session, options.FORUM),
        mine=some(_accounts.c.staff_id == here.member.id, _accounts.c.account.like("telegram:%")),
        team=int(session.execute(people.where(roles.c.shop_id.is_(None) | (roles.c.shop_id == shop_id))).scalar_one()),
        offers=some(programs.c.shop_id.is_(None) | (programs.c.shop_id == shop_id)),
        customers=some(customers.customers.c.phone.is_not(None))
        or any(job.state == import_jobs.State.DONE for job in import_jobs.of_shop(session, shop_id)),
        orders=some(orders.orders.c.shop_id == shop_id),
        poster=options.get(session, _poster(shop_id)) is not None,
        backup=options.get(session, options.BACKUP),
        test=sent[0] if sent else None,
    )


def _poster(shop_id: int) -> str:
    return f"poster:{shop_id}"


def _steps(said: Words, here: Frame, facts: Facts, *, by_setting: bool) -> list[Step]:
    steps = [
        Step("token", by_setting or facts.token is not None, said("Connect your Telegram bot"),
             said("Customers write to it; it answers by itself."), "#token", said("Paste its token")),
        Step("mine", facts.mine, said("Tie your own Telegram account"),
             said("So that the bot knows you as the owner and can write to you."), "#test", said("Get the link")),
        Step("team", facts.team > 1, said("Take your colleagues on"),
             said("Each gets a link of their own, no passwords."), here.url("/shop/team"), said("Add somebody")),
        Step("forum", facts.forum is not None, said("Choose the team's group"),
             said("In Telegram make a group with topics, add the bot as an administrator and type /forum there."),
             "#forum", said("See how")),
        Step("details", bool(here.shop.address), said("Say where you are"),
             said("Address, phone and your colour, as customers see them."), here.url("/shop/settings"), said("Fill in")),
        Step("offer", facts.offers, said("Make the first offer"),
             said("Something worth collecting points for."), here.url("/shop/offers/new"), said("Make one")),
        Step("customers", facts.customers, said("Bring your customers along"),
             said("From a list that your point of sale gives, CSV or Excel."), here.url("/shop/import"), said("Import")),
        Step("poster", facts.poster, said("Print the poster"),
             said("Guests scan it and are in."), here.url("/shop/share"), said("Open it")),
        Step("order", facts.orders, said("Enter the first order"),
             said("At the till, in ten seconds."), "/till", said("Open the till")),
    ]  # fmt: skip
    # What all shops share is only for who owns all of them.
    return steps if here.rules_all else [step for step in steps if step.key not in {"token", "forum"}]


async def save_token(request: web.Request) -> web.StreamResponse:
    """Ask Telegram whose token it is, keep it sealed; the program connects by itself."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    installation = request.config_dict[site.SITE]
    if not here.rules_all:
        raise ForbiddenError("token")
    if installation.telegram_by_setting:
        raise ConflictError("the token is a setting")
    token = form.get("token", "")
    if not TOKEN.fullmatch(token):
        return await _page(request, said("This isn't a bot's token. @BotFather shows it, like 123456:ABC-DEF."), 422)
    try:
        username = await installation.ask_bot(token)
    except ConnectionError as error:
        wrong = re.search(r"unauthorized|not found", str(error), re.IGNORECASE)
        words = (
            said("Telegram doesn't know this token. Copy it again from @BotFather, whole.") if wrong
            else said("Telegram can't be reached now. Try again in a minute; nothing was changed.")
        )  # fmt: skip
        return await _page(request, words, 422)

    def write(session: Session) -> None:
        before = options.get(session, options.TOKEN)
        account = f"telegram:{token.partition(':')[0]}"
        after = {"sealed": installation.seal.close(token), "account": account, "username": username}
        options.put(session, options.TOKEN, after)
        changed = {"bot": [before and before["username"], username]}
        audit.record(session, here.actor, "token_changed", None, changed=changed)
        signal(session, options.TOKEN)

    await site.store_of(request).write(write)
    words = said("@{name} is connected. It answers in a few seconds.", name=username)
    return await frame.done(request, PLACE, words)


async def link(request: web.Request) -> web.StreamResponse:
    """The link that ties the reader's own messenger account."""
    here, said = frame.frame_of(request), site.words_of(request)
    token = await site.store_of(request).write(staff.make_link, here.member.id, "bind")
    found = [link for name, link in request.config_dict[site.SITE].links(f"s_{token}") if name.casefold() != "web"]
    if not found:
        raise ConflictError("no messenger is connected yet")
    words = said("Open this link on your phone. It works once, for 24 hours.")
    return await frame.done(request, PLACE, words, {"start": found[0]})


async def send_test(request: web.Request) -> web.StreamResponse:
    """Write to the reader's own Telegram."""
    here, said = frame.frame_of(request), site.words_of(request)
    text = said("It works: “{shop}” can write to you. 👋", shop=here.shop.name)

    def write(session: Session) -> None:
        mine = select(_accounts.c.account, _accounts.c.user_id).where(
            _accounts.c.staff_id == here.member.id, _accounts.c.account.like("telegram:%")
        )
        bound = session.execute(mine).first()
        if bound is None:
            raise _NotBoundError
        payload = json.dumps({"chat_id": bound.user_id, "text": text}, ensure_ascii=False)
        call = Call(
            session.info["ids"].new(), bound.account, bound.user_id, "sendMessage", payload, purpose=Purpose.REPLY
        )
        outbox.put(session, [call])
        options.put(session, TEST, {"call": call.id, "staff": here.member.id})

    try:
        await site.store_of(request).write(write)
    except _NotBoundError:
        return await _page(request, "", 409)
    return await frame.done(request, PLACE, said("The test message is on its way to your Telegram."))


class _NotBoundError(RuleError):
    """The reader has no Telegram account here."""


async def tick(request: web.Request) -> web.StreamResponse:
    """The poster hangs: nobody but the reader can know."""
    here, said = frame.frame_of(request), site.words_of(request)

    def write(session: Session) -> None:
        options.put(session, _poster(here.shop.id), {"at": now(session).isoformat(), "staff": here.member.id})

    await site.store_of(request).write(write)
    return await frame.done(request, PLACE, said("Well done."))


def _moment(backup: dict[str, Any] | None) -> datetime | None:
    return datetime.fromisoformat(backup["at"]) if backup and backup.get("at") else None


def _tests(said: Words) -> dict[str, tuple[str, str]]:
    """How the last test message stands: the badge's tone and words."""
    return {
        "queued": ("", said("on its way")), "sending": ("", said("on its way")), "sent": ("good", said("arrived")),
        "failed": ("bad", said("refused: open the bot in Telegram and press Start")),
        "unknown": ("warn", said("nobody knows: look in Telegram")),
    }  # fmt: skip
