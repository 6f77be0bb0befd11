"""Recognition in the console: what the shop has of it at a look, what is to be handed over, and the streak's setting."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import recognition_words
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty.customers import customers
from loyalty.recognition import badges, draws, entries, prizes, progress, quests, streaks, surprises, thanks, wins
from loyalty.recognition.draws import DrawState
from loyalty.recognition.streaks import Unit
from loyalty.recognition.wins import WinState
from store import audit
from store.clock import now
from store.errors import InvalidError

PAGE = "recognition"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list: its name, what it is, how it stands, and where its page is."""

    id: int
    name: str
    about: str
    state: str
    state_words: str
    figures: str
    path: str = ""


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    context = await site.store_of(request).read(_look, here, said)
    return await frame.render(request, "shop/recognition/overview.html", context, page=PAGE)


def _look(session: Session, here: Frame, said: Words) -> dict[str, Any]:
    shop = here.shop
    waiting = [
        {"win": win, "prize": prize, "name": customers.get(session, win.customer_id).name, "why": _why(said, win.reason)}
        for win, prize in wins.to_hand_over(session, shop.id)
    ]  # fmt: skip
    unit = streaks.unit_of(session, shop.id)
    return {
        "waiting": waiting, "tasks": thanks.waiting(session, shop.id), "unit": unit.value if unit else "",
        "quests": _quests(session, here, said), "badges": _badges(session, here, said),
        "draws": _draws(session, here, said), "surprises": _surprises(session, here, said),
    }  # fmt: skip


def _why(said: Words, reason: str | None) -> str:
    """Why a prize couldn't be given, and what to do."""
    return {
        None: "",
        "no_stock": said("There are none left: add some to its stock."),
        "empty_wallet": said("The shop's points are used up: top the wallet up."),
        "sold_out": said("The offer has run out: add some first."),
        "limit_reached": said("The customer has as many of this offer as one may have."),
    }.get(reason, said("It couldn't be given."))


def _quests(session: Session, here: Frame, said: Words) -> list[Row]:
    rows, moment = [], now(session)
    for quest in quests.of_shop(session, here.shop.id):
        prize = prizes.get(session, quest.prize_id)
        on_way, done = progress.tally(session, quest.id)
        state = "running" if quest.runs(moment) else "soon" if moment < quest.starts_at else "over"
        goal = recognition_words.counted(said, quest.measure, quest.target)
        figures = said("{n} on their way · {done} finished", n=said.number(on_way), done=said.number(done))
        rows.append(
            Row(
                quest.id, quest.name, f"{goal} → {recognition_words.gives(said, prize)}", state, _state(said, state),
                figures, f"/shop/quests/{quest.id}",
            )
        )  # fmt: skip
    return rows


def _badges(session: Session, here: Frame, said: Words) -> list[Row]:
    held = badges.holders(session, here.shop.id)
    return [
        Row(
            badge.id, f"{badge.icon} {badge.name}",
            said("Given by hand") if badge.measure == badges.HAND
            else recognition_words.counted(said, badge.measure, badge.target),
            "running" if badge.active else "hidden", said("Can be earned") if badge.active else said("Stopped"),
            said.plural("{n} customer has it", "{n} customers have it", held.get(badge.id, 0)),
            f"/shop/badges/{badge.id}",
        )
        for badge in badges.of_shop(session, here.shop.id)
    ]  # fmt: skip


def _draws(session: Session, here: Frame, said: Words) -> list[Row]:
    rows = []
    for draw in draws.of_shop(session, here.shop.id):
        state = {"draft": "hidden", "open": "running", "closed": "over"}[draw.state]
        words = {"draft": said("Draft"), "open": said("Running"), "closed": said("Ended")}[draw.state]
        left = entries.counts(session, draw.id).get("open", 0)
        figures = said("{drawn} drawn · {left} entries open", drawn=said.number(draw.drawn), left=said.number(left))
        rows.append(
            Row(
                draw.id, draw.name, recognition_words.way_in(said, draw), state, words,
                figures if draw.state != DrawState.DRAFT else "", f"/shop/draws/{draw.id}",
            )
        )  # fmt: skip
    return rows


def _surprises(session: Session, here: Frame, said: Words) -> list[Row]:
    rows = []
    for rule in surprises.of_shop(session, here.shop.id):
        prize = prizes.get(session, rule.prize_id)
        left = prizes.left(session, prize)
        given = said.plural("{n} given", "{n} given", surprises.given(session, rule.id))
        if left is not None:
            given += " · " + said("{n} left", n=said.number(left))
        state = "over" if rule.ended_at else "out" if left == 0 else "running"
        about = f"{happens(said, rule.happens, rule.n)} → {recognition_words.gives(said, prize)}"
        rows.append(Row(rule.id, rule.name, about, state, _state(said, state), given, f"/shop/surprises/{rule.id}"))
    return rows


def happens(said: Words, kind: str, n: int) -> str:
    """When a surprise comes."""
    return {
        "nth": said("every {n}th customer of the day", n=said.number(n)),
        "return": said.plural(
            "the first order after {n} day away", "the first order after {n} days away", n
        ),
        "chance": said("one order in {n}, by chance", n=said.number(n)),
    }[kind]  # fmt: skip


def _state(said: Words, state: str) -> str:
    return {
        "running": said("Running"), "soon": said("Not begun"), "over": said("Ended"), "out": said("Run out"),
    }[state]  # fmt: skip


async def save_streak(request: web.Request) -> web.StreamResponse:
    """Whether the shop counts streaks, and in what."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    chosen = form.get("unit", "")
    unit = Unit(chosen) if chosen in set(Unit) else None

    def write(session: Session) -> None:
        before = streaks.unit_of(session, here.shop.id)
        if before != unit:
            streaks.set_unit(session, here.shop.id, unit)
            changed = [before.value if before else None, unit.value if unit else None]
            audit.record(session, here.actor, "streak_changed", here.shop.id, changed={"unit": changed})

    await site.store_of(request).write(write)
    return await frame.done(request, "/shop/recognition", said("Saved."))


async def settle(request: web.Request) -> web.StreamResponse:
    """A thing was handed over, or what was missed is tried again."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    again = request.match_info["action"] == "again"

    def write(session: Session) -> str:
        if again:
            win = wins.again(session, number, here.shop.id)
        else:
            win = wins.hand_over(session, number, here.shop.id, here.actor)
        audit.record(
            session, here.actor, "prize_tried" if again else "prize_handed", here.shop.id, win=number, state=win.state
        )
        return win.state

    state = await site.store_of(request).write(write)
    words = (
        said("It still can't be given. See what is missing.") if state == WinState.MISSED
        else said("Given.") if again else said("Handed over. Well done!")
    )  # fmt: skip
    return await frame.done(request, "/shop/recognition", words)


def problem(said: Words, field: str, error: InvalidError, known: dict[str, str]) -> str:
    """A field's problem in words: a number that can't be read, what the form knows, else the general answer."""
    if error.problem in {"number", "empty"} and field not in known:
        return said("Write a whole number, for example 30,000.")
    return known.get(field) or site.say(said, error)
