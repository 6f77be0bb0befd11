"""What the customer has: points, card, vouchers; and the catalogue where points buy rewards."""

import asyncio
from dataclasses import dataclass
from datetime import date
from html import escape
from zoneinfo import ZoneInfo

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy.orm import Session

from handlers import tier_words
from handlers.chat.commands import Buy, History, Leave, Present, Show, button, go
from handlers.chat.gives import terms
from handlers.chat.talk import Kept, Talk
from handlers.chat.voice import Voice
from handlers.measures import measured
from handlers.pictures.card import Card, draw_card
from handlers.words import Words
from loyalty.customers import customers
from loyalty.points import ledger, points, statement
from loyalty.points.ledger import UncoveredError
from loyalty.points.points import Wallet
from loyalty.points.statement import Entry
from loyalty.tiers import qualification
from loyalty.tiers.tier_rule import Measure, Standing
from loyalty.vouchers import rewards, vouchers
from loyalty.vouchers.rewards import PriceChangedError
from store import media
from store.clock import today
from store.errors import ConflictError, NotFoundError
from store.shops import Shop

LINES = 3
SOON_DAYS = 30
REWARDS_LISTED = 8


@dataclass(frozen=True, slots=True)
class Account:
    """What a customer has, as one look shows it."""

    wallet: Wallet
    standing: Standing
    entries: list[Entry]
    today: date
    zone: str
    picture: bytes | None = None
    """The tier's emblem."""


def account(session: Session, customer_id: int, zone: str) -> Account:
    """One customer's points, tier and last movements."""
    held = ledger.held(session, "customer", customer_id)
    wallet = points.wallet(session, customer_id, zone, held)
    standing = qualification.of(session, customer_id)
    lines = statement.entries(session, customer_id, LINES, held=held)[0]
    picture = media.load(session, standing.tier.picture).content if standing.tier.picture else None
    return Account(wallet, standing, lines, today(session, zone), zone, picture)


# ── Points and card ─────────────────────────────────────────────────────────────────────────────────


async def show_points(message: Message, talk: Talk, _state: FSMContext) -> None:
    """Exactly one message, which holds the available points."""
    held = await talk.work.read(account, talk.customer_id, talk.shop.timezone)
    await message.answer(points_text(talk.voice, held), reply_markup=points_buttons(talk.words))


def points_buttons(said: Words) -> InlineKeyboardMarkup:
    rows = go(said, "rewards", "card").inline_keyboard
    further = [button(said("Statement"), History()), button(said("Give points"), Present())]
    return InlineKeyboardMarkup(inline_keyboard=[*rows, further])


def points_text(voice: Voice, held: Account) -> str:
    wallet, standing = held.wallet, held.standing
    head = voice.say(
        "You have <b>{points} points</b>, tier <b>{tier}</b>.", points=wallet.available, tier=standing.tier.name
    )
    if standing.next is not None and standing.measure is Measure.TIER_POINTS:
        head += " " + voice.say(
            "{missing} more tier points to reach <b>{next}</b>.", missing=standing.to_next, next=standing.next.name
        )
    elif standing.next is not None:
        missing = measured(voice.words, standing.measure, standing.to_next)
        head += " " + voice.say("{amount} more to reach <b>{next}</b>.", amount=missing, next=standing.next.name)
    if stay := staying(voice, standing):
        head += " " + stay
    said = [head]
    if wallet.pending:
        said.append(
            voice.say(
                "{points} more points are on their way and will be yours after the return period.",
                points=wallet.pending,
            )
        )
    soon = next((part for part in wallet.expiring if part.on and (part.on - held.today).days <= SOON_DAYS), None)
    if soon is not None and soon.on is not None:
        day = voice.words.date(soon.on)
        said.append(voice.say("{points} points can be used until {day}.", points=soon.points, day=day))
    if held.entries:
        lines = [entry_line(voice, entry, held.zone) for entry in held.entries]
        said.append("\n".join([voice.say("Lately:"), *lines]))
    return "\n\n".join(said)


def staying(voice: Voice, standing: Standing) -> str:
    """What it takes to keep a tier that is in danger, else nothing."""
    if not standing.missing or standing.last_day is None:
        return ""
    return voice.say(
        "{amount} more by {day} and you stay on <b>{tier}</b>.", tier=standing.tier.name,
        amount=measured(voice.words, standing.measure, standing.missing),
        day=voice.words.date(standing.last_day),
    )  # fmt: skip


def entry_line(voice: Voice, entry: Entry, zone: str) -> str:
    """“21/11 · +50 · order 1042 at Cầu Giấy”: one movement in words."""
    day = voice.words.day(entry.at.astimezone(ZoneInfo(zone)).date())
    why = ", ".join(factor(voice, name, percent) for name, percent in entry.why)
    beside = f" ({why})" if why else ""
    return f"{day} · <b>{voice.words.signed(entry.points)}</b> · {reason(voice, entry)}{beside}"


def factor(voice: Voice, name: str, percent: int) -> str:
    """“Happy hour ×1.5”: what an order's points were multiplied by."""
    rest = f"{percent % 100:02d}".rstrip("0")
    times = f"×{percent // 100}{',' if voice.language == 'vi' else '.'}{rest}" if rest else f"×{percent // 100}"
    _, tier, own = name.partition("tier:")
    named = voice.say("tier {tier}", tier=own) if tier else escape(name)
    return f"{named} {times}"


def reason(voice: Voice, entry: Entry) -> str:
    """Why points moved."""
    order, shop = entry.order or "", entry.shop or ""
    texts = {
        "earn": voice.say("order {order} at {shop}", order=order, shop=shop),
        "refund": voice.say("order {order} was returned or changed", order=order),
        "referral": voice.say("a friend you invited, or who invited you"),
        "referral_back": voice.say("a friend's order was returned"),
        "buy": voice.say("swapped for “{reward}”", reward=entry.reason or ""),
        "pay": voice.say("paid with points at {shop}", shop=shop),
        "pay_back": voice.say("given back"),
        "expire": voice.say("expired"),
        "merge": voice.say("from your earlier account"),
        "opening": voice.say("brought along from before"),
        "prize": voice.say("won: {prize}", prize=entry.reason or ""),
        "prize_back": voice.say("taken back with a returned order: {prize}", prize=entry.reason or ""),
        "draw": voice.say("an entry in {draw}", draw=entry.reason or ""),
        "tier_gift": voice.say("a gift for reaching {tier}", tier=entry.reason or ""),
        "adjust": escape(entry.reason or ""),
        "journey": escape(entry.reason or ""),
        "gift": voice.say("given to a friend") if entry.points < 0 else voice.say("a gift from a friend"),
        "hold": set_aside(voice, entry.reason or ""),
        "unhold": voice.say("set aside, and back again"),
        "forgive": voice.say("let off by the shop"),
        "goodwill": voice.say("with our apology"),
        "goodwill_back": voice.say("given by mistake, taken back"),
        "bonus": bonus(voice, entry.reason or ""),
    }
    return texts.get(entry.kind) or voice.say("correction by the shop")


def set_aside(voice: Voice, kind: str) -> str:
    """What points are held for."""
    if kind == "gift":
        return voice.say("a gift that waits for your friend")
    return voice.say("set aside")


def bonus(voice: Voice, cause: str) -> str:
    """What a bonus was for."""
    return {
        "join": voice.say("for joining us"), "profile": voice.say("for a complete profile"),
        "birthday": voice.say("for your birthday"), "review": voice.say("for your review"),
        "streak": voice.say("for coming so often"),
    }.get(cause) or voice.say("a bonus")  # fmt: skip


async def show_card(message: Message, talk: Talk, _state: FSMContext) -> None:
    """The membership card as a picture, with the QR and the short code that the till reads."""
    customer = await talk.work.read(customers.get, talk.customer_id)
    held = await talk.work.read(account, talk.customer_id, talk.shop.timezone)
    content = await asyncio.to_thread(draw_card, card_of(talk.words, talk.shop, customer, held))
    caption = talk.say(
        "Show this card at the counter, or read out the code <b>{code}</b>.", code=grouped(customer.code)
    )
    if stay := staying(talk.voice, held.standing):
        caption += "\n" + stay
    await message.answer_photo(Kept(content, "card.png", "image/png", 1060, 686), caption=caption)


def card_of(said: Words, shop: Shop, customer: customers.Customer, held: Account) -> Card:
    """What stands on a customer's card."""
    standing = held.standing
    to_next = tier_words.way_up(said, standing) or tier_words.way_to_stay(said, standing)
    return Card(
        shop_name=shop.name, brand=shop.brand, tier_name=standing.tier.name, tier_style=standing.tier.look,
        holder=customer.name, points=held.wallet.available, points_label=said("points"), to_next=to_next,
        code=grouped(customer.code), qr_payload=f"regulars:{customer.code}", language=said.language,
        tier_picture=held.picture,
    )  # fmt: skip


def grouped(code: str) -> str:
    """7K3M9QPT as 7K3M-9QPT, easier to read aloud."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


# ── Rewards ─────────────────────────────────────────────────────────────────────────────────────────


async def show_rewards(message: Message, talk: Talk, _state: FSMContext) -> None:
    offered = await talk.work.read(rewards.catalogue, talk.customer_id)
    available = (await talk.work.read(points.balances, talk.customer_id))[0]
    if not offered:
        await message.answer(
            talk.say("There are no rewards right now. Your points stay safe."),
            reply_markup=go(talk.words, "points", "invite"),
        )
        return
    lines, rows = [], []
    for reward in offered[:REWARDS_LISTED]:
        price = talk.voice.plural("{n} point", "{n} points", reward.price)
        missing = reward.price - available
        lack = " " + talk.say("({missing} to go)", missing=missing) if missing > 0 else ""
        conditions = terms(talk.words, reward.program)
        line = f"<b>{escape(reward.program.name)}</b>\n{price}{lack}"
        lines.append(f"{line}\n{escape(conditions)}" if conditions else line)
        if missing <= 0:
            label = talk.words(
                "Swap {points}: {name}", points=talk.words.number(reward.price), name=reward.program.name
            )
            rows.append([button(label, Buy(program=reward.program.id, price=reward.price))])
    head = talk.say("You have <b>{points} points</b>. They buy:", points=available)
    markup = InlineKeyboardMarkup(inline_keyboard=rows) if rows else go(talk.words, "points", "invite")
    await message.answer("\n\n".join([head, *lines]), reply_markup=markup)


async def buy(query: CallbackQuery, callback_data: Buy, talk: Talk) -> None:
    """The first tap asks, the second buys. A tap that arrives twice buys once: the key is the message it stands under."""
    message = query.message
    if not isinstance(message, Message):
        await query.answer(talk.say("This button no longer works. Type /menu to start again."))
        return
    if not callback_data.sure:
        await ask_to_buy(query, message, callback_data, talk)
        return
    key = f"{talk.account}:{message.chat.id}:{message.message_id}"
    if await talk.work.read(vouchers.by_key, f"buy:{key}") is not None:
        # The first tap's answer stands there already.
        await query.answer(talk.words("Done!"))
        return
    try:
        bought = await talk.work.write(
            rewards.buy, talk.customer_id, callback_data.program, price=callback_data.price, key=key
        )
    except UncoveredError:
        await query.answer(talk.say("You don't have enough points for this yet."), show_alert=True)
        return
    except PriceChangedError:
        await query.answer(talk.say("The price has changed. Please look at /rewards again."), show_alert=True)
        return
    except (ConflictError, NotFoundError):
        await query.answer(
            talk.say("This reward has just run out. See /rewards for what else there is."), show_alert=True
        )
        return
    await query.answer(talk.words("Done!"))
    text = talk.say(
        "<b>{name}</b> is yours. 🎁\nCode: <code>{code}</code>\nYou have {points} points left.",
        name=bought.program.name, code=vouchers.shown(bought.voucher.code), points=bought.balance,
    )  # fmt: skip
    markup = InlineKeyboardMarkup(inline_keyboard=[[button(talk.words("Show QR"), Show(voucher=bought.voucher.id))]])
    # The question stood under the reward's picture, where it has one.
    if message.photo:
        await message.edit_caption(caption=text, reply_markup=markup)
    else:
        await message.edit_text(text, reply_markup=markup)


async def ask_to_buy(query: CallbackQuery, message: Message, wanted: Buy, talk: Talk) -> None:
    """The reward by itself, with its picture, and the question."""
    offered = await talk.work.read(rewards.catalogue, talk.customer_id)
    reward = next((one for one in offered if one.program.id == wanted.program), None)
    if reward is None:
        await query.answer(
            talk.say("This reward has just run out. See /rewards for what else there is."), show_alert=True
        )
        return
    await query.answer()
    sure = talk.words("Yes, swap {points} points", points=talk.words.number(reward.price))
    row = [
        button(sure, Buy(program=reward.program.id, price=reward.price, sure=True)),
        button(talk.words("Not now"), Leave()),
    ]
    text = talk.say("Swap <b>{points} points</b> for <b>{name}</b>?", points=reward.price, name=reward.program.name)
    markup = InlineKeyboardMarkup(inline_keyboard=[row])
    if reward.program.image is None:
        await message.answer(text, reply_markup=markup)
        return
    picture = await talk.work.read(media.load, reward.program.image)
    await message.answer_photo(
        Kept(picture.content, "reward.jpg", picture.mime, picture.width, picture.height),
        caption=text,
        reply_markup=markup,
    )
