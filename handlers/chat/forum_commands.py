"""The commands of the team's forum and the buttons that stand for them: hand over, put aside, solve, make good, macros."""

from collections.abc import Awaitable, Callable
from html import escape

from aiogram.types import InlineKeyboardMarkup, Message
from sqlalchemy.orm import Session

from handlers.chat import forum_goodwill, forum_lines, forum_macros, forum_presence
from handlers.chat.commands import button
from handlers.chat.forum_buttons import LISTED, Answer, Desk, Do, UnclearError
from handlers.words import Words
from store import shops
from store.clock import now
from store.errors import InvalidError, NotFoundError, RuleError
from store.text import fold
from support import changes, delivery, handling, tickets
from support.deadlines import moments

SPANS = ("1h", "4h", "1d", "2d", "1w")


async def typed(message: Message, desk: Desk, command: str, rest: str) -> None:
    """Do what a command says, and answer below it where there is something to say."""
    name = command.removeprefix("/").partition("@")[0].casefold()
    act = _COMMANDS.get(name)
    if act is None:
        await message.reply(
            desk.said("I don't know this command, and it did not go to the customer. /help lists them.")
        )
        return
    text, buttons = await act(desk, rest)
    await message.reply(text, reply_markup=buttons)


async def tapped(message: Message, desk: Desk, data: Do) -> str:
    """Do what a button says: a choice opens as an answer, a choice made takes its question's place. What the tap shows."""
    act = _TAPS.get(data.act)
    if act is None:
        return ""
    text, buttons = await act(desk, data.value)
    if not data.value and data.act in _ASKING:
        await message.answer(text, reply_markup=buttons)
        return ""
    if data.value:
        await message.edit_text(text, reply_markup=buttons)
        return ""
    return text


# ── Who, when, how it stands ────────────────────────────────────────────────────────────────────────


async def _help(desk: Desk, _rest: str) -> Answer:
    said = desk.said
    lines = [
        said("What you write here goes to the customer, with pictures and files. Reply to a message to quote it."),
        "", said("/note words – a note that only colleagues see"), said("/assign [name] – hand over, or choose whom to"),
        said("/later 2d – put aside; also 4h, mai 9h, thứ hai"), said("/close – it is solved, and the customer is asked how it was"),
        said("/open – open it again"), said("/delete as a reply – take your answer away from the customer"), said("/points [100 reason] – what the customer has, or give points"),
        said("/voucher – give a voucher"), said("/macro [name] – an answer that is ready"),
        said("/here, /away – whether new requests come to you"),
    ]  # fmt: skip
    return "\n".join(escape(line) for line in lines), None


async def _claim(desk: Desk, _rest: str) -> Answer:
    await desk.work.write(handling.claim, desk.ticket_id, desk.member)
    return desk.said("You are on it."), None


async def _assign(desk: Desk, rest: str) -> Answer:
    """Whom to: by name, or chosen from a list."""
    colleagues = await desk.work.read(handling.colleagues, desk.ticket_id, desk.member)
    wanted = fold(rest.strip().removeprefix("@"))
    chosen = [one for one in colleagues if rest == f"={one.id}"] or [
        one for one in colleagues if fold(one.name) == wanted
    ]
    chosen = chosen or [one for one in colleagues if wanted and wanted in fold(one.name)]
    if rest == "=0":
        await desk.work.write(handling.assign, desk.ticket_id, desk.member, None)
        return desk.said("Nobody is on it now; whoever wants to takes it."), None
    if len(chosen) == 1:
        await desk.work.write(handling.assign, desk.ticket_id, desk.member, chosen[0].id)
        return desk.said("{name} is on it", name=escape(chosen[0].name)) + ".", None
    listed = (chosen or colleagues)[:LISTED]
    rows = [[button(one.name, Do(act="assign", ticket=desk.ticket_id, value=f"={one.id}"))] for one in listed]
    rows.append([button(desk.said("Nobody: back to all"), Do(act="assign", ticket=desk.ticket_id, value="=0"))])
    head = (
        desk.said("Who takes this on?")
        if not rest or chosen
        else desk.said("Nobody here is called that. Who takes this on?")
    )
    return head, InlineKeyboardMarkup(inline_keyboard=rows)


async def _later(desk: Desk, rest: str) -> Answer:
    """Until when: in words (2d, mai 9h, thứ hai), or chosen."""
    if not rest:
        row = [button(_span(desk.said, span), Do(act="later", ticket=desk.ticket_id, value=span)) for span in SPANS]
        text = desk.said("Until when? You can also type /later 2d, /later mai 9h or /later thứ hai.")
        return text, InlineKeyboardMarkup(inline_keyboard=[row[:3], row[3:]])

    def put_aside(session: Session) -> str:
        shop = shops.get(session, tickets.view(session, desk.ticket_id, desk.member).shop_id)
        until = moments.parse(rest, now(session), shop.timezone)
        if until is None:
            raise UnclearError("until", rest)
        handling.snooze(session, desk.ticket_id, desk.member, until)
        return desk.said.moment(until, shop.timezone)

    return desk.said("Set aside until {moment}", moment=await desk.work.write(put_aside)) + ".", None


def _span(said: Words, span: str) -> str:
    number, unit = int(span[:-1]), span[-1]
    forms = {"h": ("{n} hour", "{n} hours"), "d": ("{n} day", "{n} days"), "w": ("{n} week", "{n} weeks")}
    return said.plural(*forms[unit], number)


def _marked(said: Words) -> None:
    """The message ids above, said once where the catalogue's extraction sees them."""
    (
        said.plural("{n} hour", "{n} hours", 1),
        said.plural("{n} day", "{n} days", 1),
        said.plural("{n} week", "{n} weeks", 1),
    )


async def _close(desk: Desk, _rest: str) -> Answer:
    await desk.work.write(handling.resolve, desk.ticket_id, desk.member)
    row = [button(desk.said("Open again"), Do(act="reopen", ticket=desk.ticket_id))]
    return desk.said("Solved; the customer is told."), InlineKeyboardMarkup(inline_keyboard=[row])


async def _reopen(desk: Desk, _rest: str) -> Answer:
    await desk.work.write(handling.reopen, desk.ticket_id, desk.member)
    return desk.said("It is open again."), None


async def _delete(desk: Desk, _rest: str) -> Answer:
    """Take one's own answer, to which the command is a reply, away from the customer."""
    number = None
    if desk.quoted is not None:
        number = await desk.work.read(forum_lines.number_of, desk.ticket_id, desk.quoted)
    if number is None:
        return desk.said("Reply with /delete to the answer that is to be taken back."), None
    try:
        await desk.work.write(changes.agent_deletes, number, desk.member)
    except NotFoundError:
        return desk.said("Only answers to the customer can be taken back, and only one's own."), None
    return desk.said("It is taken away from the customer."), None


async def _retry(desk: Desk, value: str) -> Answer:
    await desk.work.write(delivery.retry, int(value) if value.isdecimal() else 0, desk.member)
    return desk.said("It is being sent again…"), None


# ── Who may, and what is refused ───────────────────────────────────────────────────────────────────


def refusal(said: Words, error: RuleError) -> str | None:
    """What these commands refuse, in words."""
    if isinstance(error, UnclearError) and error.field == "until":
        return said("I don't understand this time. Try /later 2d, /later 4h, /later mai 9h or /later thứ hai.")
    if isinstance(error, InvalidError) and error.field == "until":
        return said("That time is over already, or more than a year ahead.")
    return forum_goodwill.refusal(said, error)


_COMMANDS: dict[str, Callable[[Desk, str], Awaitable[Answer]]] = {
    "help": _help, "start": _help, "assign": _assign, "later": _later, "close": _close, "open": _reopen, "delete": _delete,
    "points": forum_goodwill.give_points, "voucher": forum_goodwill.give_voucher, "macro": forum_macros.use_macro,
    "here": forum_presence.here, "away": forum_presence.away,
}  # fmt: skip
_TAPS: dict[str, Callable[[Desk, str], Awaitable[Answer]]] = {
    "claim": _claim, "assign": _assign, "later": _later, "close": _close, "reopen": _reopen, "points": forum_goodwill.give_points,
    "voucher": forum_goodwill.give_voucher, "macro": forum_macros.use_macro, "retry": _retry,
}  # fmt: skip
_ASKING = {"assign", "later", "points", "voucher", "macro", "close"}
