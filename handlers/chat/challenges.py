"""Challenges: the streak, quests with their bars, badges and lucky draws of every shop that has some; and drawing."""

from dataclasses import dataclass
from datetime import datetime
from html import escape

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from sqlalchemy.orm import Session

from handlers import recognition_words
from handlers.chat.commands import DrawEntry, EntryFor, Leave, button, go
from handlers.chat.talk import Talk
from loyalty import recognition
from loyalty.points.ledger import UncoveredError
from loyalty.recognition import badges, draws, entries, progress, streaks, visits
from loyalty.recognition.badges import Badge
from loyalty.recognition.draws import Draw, DrawClosedError, DrawState, EntryBy, Placed
from loyalty.recognition.entries import Drawn, EntryLimitError
from loyalty.recognition.prizes import PrizeKind
from loyalty.recognition.progress import Standing
from loyalty.recognition.streaks import Streak, Unit
from loyalty.recognition.wins import WinState
from loyalty.vouchers import vouchers
from store import shops
from store.clock import now, today
from store.errors import ConflictError, NotFoundError
from store.shops import Shop

QUESTS_LISTED = 8
DRAWS_LISTED = 3
PRIZES_LISTED = 8
HASH_SIGNS = 16
WEB_START = "/chat?start="


@dataclass(frozen=True, slots=True)
class Chances:
    """A lucky draw as a customer sees it: its prizes, their open entries, its seed when it is over."""

    draw: Draw
    prizes: list[Placed]
    entries: list[int]
    seed: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """What a shop has for a customer."""

    shop: Shop
    streak: Streak | None
    quests: list[Standing]
    badges: list[tuple[Badge, datetime]]
    draws: list[Chances]

    @property
    def empty(self) -> bool:
        return not (self.streak or self.quests or self.badges or self.draws)


def offered(session: Session) -> bool:
    """Whether any shop has something to show: the menu asks."""
    return any(recognition.on(session, shop.id) - {"surprises", "thanks"} for shop in shops.every(session))


def look(session: Session, customer_id: int) -> list[Part]:
    """What every shop has for a customer; shops without are left out."""
    every = [
        _part(session, shop, customer_id) for shop in shops.every(session) if recognition.on(session, shop.id)
    ]  # fmt: skip
    return [part for part in every if not part.empty]


def _part(session: Session, shop: Shop, customer_id: int) -> Part:
    moment = now(session)
    unit = streaks.unit_of(session, shop.id)
    streak = None
    if unit is not None:
        days = (visit.day for visit in visits.of(session, shop, customer_id))
        streak = streaks.standing(days, unit, today(session, shop.timezone))
    shown = [
        Chances(
            draw, draws.placed(session, draw.id), entries.open_of(session, draw.id, customer_id),
            draws.seed_of(session, draw),
        )
        for draw in draws.shown(session, shop.id, moment)[:DRAWS_LISTED]
    ]  # fmt: skip
    return Part(
        shop, streak, progress.standings(session, shop, customer_id, moment)[:QUESTS_LISTED],
        badges.of_customer(session, shop.id, customer_id), shown,
    )  # fmt: skip


# ── Everything at a look ────────────────────────────────────────────────────────────────────────────


async def show(message: Message, talk: Talk, _state: FSMContext) -> None:
    parts = await talk.work.read(look, talk.customer_id)
    if not parts:
        await message.answer(
            talk.say("There is no challenge right now. Your points go on as usual."),
            reply_markup=go(talk.words, "points", "rewards"),
        )
        return
    blocks, rows = [], []
    for part in parts:
        if len(parts) > 1:
            blocks.append(f"<b>{escape(part.shop.name)}</b>")
        blocks += [_streak(talk, part.streak)] if part.streak else []
        blocks += [_quest(talk, one, part.shop) for one in part.quests]
        blocks += [_draw(talk, one, part.shop) for one in part.draws]
        rows += [row for one in part.draws for row in _draw_buttons(talk, one)]
        if part.badges:
            named = " · ".join(f"{escape(badge.icon)} {escape(badge.name)}" for badge, _ in part.badges)
            blocks.append(talk.words("Your badges:") + f"\n{named}")
    markup = InlineKeyboardMarkup(inline_keyboard=rows) if rows else go(talk.words, "points", "rewards")
    await message.answer("\n\n".join(blocks), reply_markup=markup)


def _streak(talk: Talk, streak: Streak) -> str:
    day = streak.unit is Unit.DAY
    if not streak.length:
        if day:
            return talk.say("Come by two days in a row and your streak begins.")
        return talk.say("Come by two weeks in a row and your streak begins.")
    n = streak.length
    head = (
        talk.voice.plural("Your streak: <b>{n} day</b>.", "Your streak: <b>{n} days in a row</b>.", n) if day
        else talk.voice.plural("Your streak: <b>{n} week</b>.", "Your streak: <b>{n} weeks in a row</b>.", n)
    )  # fmt: skip
    assert streak.keep_by is not None
    said = f"{head} " + talk.say("Come by until {day} to keep it going.", day=talk.words.day(streak.keep_by))
    if streak.best > streak.length:
        said += " " + talk.say("Your record: {n}.", n=streak.best)
    return said


def _quest(talk: Talk, one: Standing, shop: Shop) -> str:
    said, quest = talk.words, one.quest
    lines = [f"<b>{escape(quest.name)}</b>"]
    if quest.about:
        lines.append(escape(quest.about))
    if one.done:
        lines.append(talk.say("Done! Your prize: {prize}.", prize=recognition_words.gives(said, one.prize)))
        return "\n".join(lines)
    reached = recognition_words.progress(said, quest.measure, one.reached, quest.target)
    lines.append(f"{recognition_words.bar(one.reached, quest.target)} {reached}")
    if quest.names:
        lines.append(talk.say("Counted: {names}", names=", ".join(quest.names)))
    prize = talk.say("Prize: {prize}", prize=recognition_words.gives(said, one.prize))
    if one.left is not None:
        prize += " " + talk.say("({n} left)", n=one.left)
    if one.until is not None:
        prize += " · " + talk.say("until {day}", day=recognition_words.until(said, one.until, shop.timezone))
    return "\n".join([*lines, prize])


def _draw(talk: Talk, one: Chances, shop: Shop) -> str:
    said, draw = talk.words, one.draw
    lines = [f"<b>{escape(draw.name)}</b>"]
    if draw.state == DrawState.CLOSED:
        lines.append(talk.say("This draw is over. Thank you for playing!"))
        lines.append(talk.say("The seed is open now: {seed}", seed=one.seed or ""))
    else:
        if draw.about:
            lines.append(escape(draw.about))
        lines += [
            f"· {escape(prize.prize.name)}: {recognition_words.chance(said, draw, prize)}, "
            + talk.say("{n} left", n=prize.left)
            for prize in one.prizes[:PRIZES_LISTED]
        ]
        lines.append(
            escape(recognition_words.way_in(said, draw)) + " · "
            + talk.say("until {day}", day=recognition_words.until(said, draw.ends_at, shop.timezone))
        )  # fmt: skip
        if one.entries:
            lines.append(
                talk.voice.plural("<b>You have {n} entry.</b>", "<b>You have {n} entries.</b>", len(one.entries))
            )
        lines.append(
            talk.say("Sealed before the first draw (SHA-256): {hash}…", hash=(draw.seed_hash or "")[:HASH_SIGNS])
        )
    page = page_of(talk, draw)
    if page:
        label = said("Odds, every draw, and how to check them")
        lines.append(f'<a href="{escape(page)}">{escape(label)}</a>')
    return "\n".join(lines)


def page_of(talk: Talk, draw: Draw) -> str:
    """The draw's public page, on the same host as the web chat."""
    link = next((link for _, link in talk.links("x") if WEB_START in link), "")
    return f"{link.partition(WEB_START)[0]}/lucky/{draw.id}" if link else ""


def _draw_buttons(talk: Talk, one: Chances) -> list[list[InlineKeyboardButton]]:
    said, draw = talk.words, one.draw
    if draw.state != DrawState.OPEN:
        return []
    if one.entries:
        return [[button(said("Draw now: {draw}", draw=draw.name), DrawEntry(entry=one.entries[0]))]]
    if draw.entry_by == EntryBy.POINTS:
        price = said.plural("{n} point", "{n} points", draw.entry_per)
        return [[button(said("Draw for {price}", price=price), EntryFor(draw=draw.id, price=draw.entry_per))]]
    return []


# ── Drawing ─────────────────────────────────────────────────────────────────────────────────────────


async def draw(query: CallbackQuery, callback_data: DrawEntry, talk: Talk) -> None:
    """Open an entry. A tap that arrives twice opens it once: the second one is told what came out."""
    message = query.message
    if not isinstance(message, Message):
        await query.answer(talk.say("This button no longer works. Type /menu to start again."))
        return
    await _open(query, message, talk, callback_data.entry)


async def buy(query: CallbackQuery, callback_data: EntryFor, talk: Talk) -> None:
    """An entry for points: the first tap asks, the second draws; the key is the message it stands under."""
    message = query.message
    if not isinstance(message, Message):
        await query.answer(talk.say("This button no longer works. Type /menu to start again."))
        return
    if not callback_data.sure:
        await query.answer()
        sure = talk.words("Yes, draw")
        row = [button(sure, callback_data.model_copy(update={"sure": True})), button(talk.words("Not now"), Leave())]
        await message.answer(
            talk.say("Draw once for <b>{points} points</b>?", points=callback_data.price),
            reply_markup=InlineKeyboardMarkup(inline_keyboard=[row]),
        )
        return
    key = f"{talk.account}:{message.chat.id}:{message.message_id}"
    try:
        entry = await talk.work.write(
            entries.buy, callback_data.draw, talk.customer_id, price=callback_data.price, key=key
        )
    except UncoveredError:
        await query.answer(talk.say("You don't have enough points for a draw yet."), show_alert=True)
        return
    except EntryLimitError:
        await query.answer(talk.say("That was all for today. Come back tomorrow!"), show_alert=True)
        return
    except (ConflictError, NotFoundError):
        await query.answer(talk.say("This draw is over. Thank you for playing!"), show_alert=True)
        return
    await _open(query, message, talk, entry)


async def _open(query: CallbackQuery, message: Message, talk: Talk, entry: int) -> None:
    try:
        drawn = await talk.work.write(entries.draw, entry, talk.customer_id)
    except DrawClosedError:
        await query.answer(talk.say("This draw is over. Thank you for playing!"), show_alert=True)
        return
    except (ConflictError, NotFoundError):
        await query.answer(talk.say("This entry is no longer there: its order was returned."), show_alert=True)
        return
    if not drawn.new:
        prize = drawn.prize.name if drawn.prize else talk.words("no prize this time")
        await query.answer(
            talk.words("Draw {number} is open already: {prize}", number=talk.words.number(drawn.number), prize=prize)
        )
        return
    await query.answer()
    await message.answer(
        talk.say("Draw number <b>{number}</b> is opening… 🎁", number=drawn.number),
    )
    code = None
    if drawn.win is not None and drawn.win.voucher_id is not None:
        code = vouchers.shown((await talk.work.read(vouchers.get, drawn.win.voucher_id)).code)
    following = await talk.work.read(entries.open_of, drawn.draw.id, talk.customer_id)
    over = (await talk.work.read(draws.get, drawn.draw.id)).state == DrawState.CLOSED
    await message.answer(_result(talk, drawn, code), reply_markup=_after(talk, drawn, [] if over else following))


def _result(talk: Talk, drawn: Drawn, code: str | None) -> str:
    """What came out, said with joy; no prize, said kindly."""
    if drawn.prize is None or drawn.win is None:
        return talk.say("Not this time, {name}. Thank you for playing, and good luck with the next one!")
    head = talk.say("Congratulations, {name}! You have won <b>{prize}</b>. 🎉", prize=drawn.prize.name)
    if drawn.win.state == WinState.MISSED:
        tail = talk.say("It is not there right now. We know, and will see to it.")
    elif drawn.prize.kind == PrizeKind.POINTS:
        tail = talk.say("<b>+{points} points</b> are yours.", points=drawn.prize.points)
    elif drawn.prize.kind == PrizeKind.VOUCHER:
        tail = talk.say("Code: <code>{code}</code>", code=code or "")
    else:
        tail = talk.say("Show this message at the counter to pick it up.")
    return f"{head}\n{tail}"


def _after(talk: Talk, drawn: Drawn, following: list[int]) -> InlineKeyboardMarkup:
    rows = []
    if following:
        label = talk.words.plural("Open the next one ({n} left)", "Open the next one ({n} left)", len(following))
        rows.append([button(label, DrawEntry(entry=following[0]))])
    shown = go(talk.words, "vouchers" if drawn.win and drawn.win.voucher_id else "points", "challenges")
    return InlineKeyboardMarkup(inline_keyboard=[*rows, *shown.inline_keyboard])
