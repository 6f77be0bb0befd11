"""A customer's vouchers: the list with what expires first on top, each as a picture with its QR, and giving one away."""

import asyncio
from datetime import date
from html import escape
from zoneinfo import ZoneInfo

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy.orm import Session

from handlers.chat.commands import KeepVoucher, PresentVoucher, Show, button, go
from handlers.chat.gives import terms
from handlers.chat.talk import Kept, Talk
from handlers.pictures.voucher import VoucherPicture, draw_voucher
from loyalty.vouchers import voucher_gifts, vouchers
from loyalty.vouchers.vouchers import VoucherState
from store import media
from store.errors import ConflictError, NotFoundError

LISTED = 10
QR_BUTTONS = 5
SOON_DAYS = 7


async def show_vouchers(message: Message, talk: Talk, _state: FSMContext) -> None:
    """The wallet; what expires first comes first, and says so when that is soon."""
    held = await talk.work.read(vouchers.wallet, talk.customer_id)
    if not held:
        await message.answer(
            talk.say("You have no vouchers yet. Swap points for one?"), reply_markup=go(talk.words, "rewards")
        )
        return
    lines = [_lines(talk, kept) for kept in held[:LISTED]]
    rows = [
        [button(talk.words("Show QR: {name}", name=kept.program.name), Show(voucher=kept.voucher.id))]
        for kept in held[:QR_BUTTONS]
        if kept.voucher.state != VoucherState.GIFT
    ] + [
        [button(talk.words("Take back: {name}", name=kept.program.name), KeepVoucher(voucher=kept.voucher.id))]
        for kept in held[:QR_BUTTONS]
        if kept.voucher.state == VoucherState.GIFT
    ]
    head = talk.voice.plural("You have {n} voucher:", "You have {n} vouchers:", len(held))
    said = [head, *lines]
    if len(held) > LISTED:
        more = len(held) - LISTED
        said.append(talk.voice.plural("And {n} more that lasts longer.", "And {n} more that last longer.", more))
    await message.answer("\n\n".join(said), reply_markup=InlineKeyboardMarkup(inline_keyboard=rows))


def _lines(talk: Talk, kept: vouchers.Kept) -> str:
    """Its name, its conditions and its code, a line each."""
    lines = [f"<b>{escape(kept.program.name)}</b>", escape(terms(talk.words, kept.program, kept.last_day, kept.places))]
    if kept.voucher.state == VoucherState.GIFT:
        lines.append(talk.say("On its way to your friend."))
    else:
        lines.append(f"<code>{vouchers.shown(kept.voucher.code)}</code>")
    if kept.last_day:
        today = talk.at.astimezone(ZoneInfo(talk.shop.timezone)).date()
        days = (date.fromisoformat(kept.last_day) - today).days
        if 0 < days <= SOON_DAYS:
            lines.append(talk.voice.plural("⏳ {n} day left", "⏳ {n} days left", days))
        elif days <= 0:
            lines.append(talk.say("⏳ Last day today"))
    return "\n".join(line for line in lines if line)


async def show_voucher(query: CallbackQuery, callback_data: Show, talk: Talk) -> None:
    """A voucher as a picture for the till."""
    found = await talk.work.read(_one, talk.customer_id, callback_data.voucher)
    if found is None or found[0].voucher.state == VoucherState.GIFT or not isinstance(query.message, Message):
        await query.answer(talk.say("This voucher has been used or has expired."), show_alert=True)
        return
    kept, photo, givable = found
    code = vouchers.shown(kept.voucher.code)
    last_day = talk.words.date(date.fromisoformat(kept.last_day)) if kept.last_day else ""
    picture = VoucherPicture(
        shop_name=talk.shop.name, brand=talk.shop.brand, title=kept.program.name,
        condition=terms(talk.words, kept.program, places=kept.places),
        valid_until=talk.words("Valid until {day}", day=last_day) if last_day else "",
        code=code, qr_payload=f"regulars:v:{kept.voucher.code}", photo=photo,
    )  # fmt: skip
    content = await asyncio.to_thread(draw_voucher, picture)
    rows = [[button(talk.words("Give it to a friend"), PresentVoucher(voucher=kept.voucher.id))]] if givable else []
    await query.answer()
    await query.message.answer_photo(
        Kept(content, "voucher.png", "image/png", 1128, 608),
        caption=f"<b>{escape(kept.program.name)}</b>\n<code>{code}</code>",
        reply_markup=InlineKeyboardMarkup(inline_keyboard=rows) if rows else None,
    )


def _one(session: Session, customer_id: int, voucher_id: int) -> tuple[vouchers.Kept, bytes | None, bool] | None:
    """One of a customer's vouchers, its offer's picture, and whether it may be given away."""
    held = vouchers.wallet(session, customer_id)
    kept = next((one for one in held if one.voucher.id == voucher_id), None)
    if kept is None:
        return None
    photo = media.load(session, kept.program.image).content if kept.program.image else None
    givable = kept.voucher.state == VoucherState.OPEN and voucher_gifts.givable(session, voucher_id)
    return kept, photo, givable


# ── To a friend ─────────────────────────────────────────────────────────────────────────────────────


async def present(query: CallbackQuery, callback_data: PresentVoucher, talk: Talk) -> None:
    """A link that makes a friend its owner; until they open it, it can be taken back."""
    try:
        offered = await talk.work.write(voucher_gifts.offer, callback_data.voucher, talk.customer_id)
    except (ConflictError, NotFoundError):
        await query.answer(talk.say("This voucher can't be given away any more."), show_alert=True)
        return
    await query.answer()
    if not isinstance(query.message, Message):
        return
    lines = [f"{name}: {link}" for name, link in talk.links(f"v_{offered.code}")]
    text = talk.say(
        "Send this to your friend. The voucher is theirs when they open it; until {moment} it waits for them.",
        moment=talk.words.moment(offered.lapses_at, talk.shop.timezone),
    )
    row = [button(talk.words("Take the gift back"), KeepVoucher(voucher=callback_data.voucher))]
    await query.message.answer(
        "\n\n".join([text, "\n".join(map(escape, lines))]), reply_markup=InlineKeyboardMarkup(inline_keyboard=[row])
    )


async def keep(query: CallbackQuery, callback_data: KeepVoucher, talk: Talk) -> None:
    """Take back what no friend has taken yet."""
    try:
        await talk.work.write(voucher_gifts.take_back, callback_data.voucher, talk.customer_id)
    except NotFoundError:
        await query.answer(talk.say("Your friend has it already."), show_alert=True)
        return
    await query.answer(talk.say("It is yours again."), show_alert=True)
