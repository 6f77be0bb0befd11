"""Surprises in the console: a rule is made, watched and ended; one by chance shows its seed when it has ended."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import recognition_words
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.recognition import overview, prizes
from handlers.words import Words
from loyalty.customers import customers
from loyalty.recognition import prizes as rules
from loyalty.recognition import surprises, wins
from loyalty.recognition.surprises import Surprise, When
from store import audit
from store.errors import InvalidError

SHOWN = 30


async def new(request: web.Request) -> web.StreamResponse:
    return await _form(request, {"happens": "nth", "n": "50", "prize_kind": "points", "prize_points": "20"}, {})


async def _form(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    context = {
        "form": form, "errors": errors, "rule": None,
        "offers": await site.store_of(request).read(prizes.offers, here.shop.id),
        "times": [
            ("nth", said("Every n-th customer of the day")), ("return", said("First order after n days away")),
            ("chance", said("One order in n, by chance")),
        ],
    }  # fmt: skip
    return await frame.render(request, "shop/recognition/surprise.html", context, page=overview.PAGE, status=status)


async def create(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    wrong: dict[str, InvalidError] = {}

    def write(session: Session) -> Surprise:
        prize, unread = prizes.read(session, said, form, here.shop.id)
        wrong.update(unread)
        if form.get("happens") not in set(When):
            wrong["happens"] = InvalidError("happens", "unknown")
        n = fields.needed(form, "n")
        if wrong:
            raise next(iter(wrong.values()))
        made = surprises.add(session, here.shop.id, form.get("name", ""), When(form["happens"]), n, prize)
        audit.record(
            session, here.actor, "surprise_added", here.shop.id, surprise=made.id, happens=made.happens, n=made.n,
            prize=asdict(prize),
        )  # fmt: skip
        return made

    try:
        made = await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, form, _errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/surprises/{made.id}", said("Saved. From now on it may surprise somebody."))


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        rule = surprises.get(session, frame.named(request), here.shop.id)
        prize = rules.get(session, rule.prize_id)
        given = wins.of_cause(session, wins.Cause.SURPRISE, rule.id, SHOWN)
        return {
            "rule": rule, "when": overview.happens(said, rule.happens, rule.n),
            "prize": recognition_words.gives(said, prize), "left": rules.left(session, prize),
            "given": [(win, customers.get(session, win.customer_id).name) for win in given],
            "seed": surprises.seed_of(session, rule), "count": surprises.given(session, rule.id),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    return await frame.render(request, "shop/recognition/surprise.html", context, page=overview.PAGE)


async def end(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)

    def write(session: Session) -> None:
        before = surprises.get(session, number, here.shop.id)
        surprises.end(session, number, here.shop.id)
        if before.ended_at is None:
            audit.record(session, here.actor, "surprise_ended", here.shop.id, surprise=number)

    await site.store_of(request).write(write)
    return await frame.done(request, f"/shop/surprises/{number}", said("It has ended. What was given stays."))


def _errors(said: Words, wrong: Mapping[str, InvalidError], raised: InvalidError) -> dict[str, str]:
    field = f"prize_{raised.field}" if raised.field in prizes.OWN else raised.field
    known = {
        "name": said("Give it a name of 1 to 80 letters, for your own eyes."), "happens": said("Choose when it comes."),
        "n": said("Write a whole number, at least 2."),
    }  # fmt: skip
    return {
        name: (prizes.problem(said, name, error) if name.startswith("prize_") else None)
        or overview.problem(said, name, error, known)
        for name, error in {**wrong, field: raised}.items()
    }
