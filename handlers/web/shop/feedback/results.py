"""What customers think, in the console: stars by week, agent, topic and shop, NPS, effort, their words; and what is asked."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk.shown import topics
from handlers.web.shop import chart, fields, frame
from handlers.words import Words
from loyalty.insights.today import Week as Bars
from store.clock import now, today
from store.errors import InvalidError
from support import topics as own_topics
from support.complaints import goodwill_book
from support.feedback import compliments, results, terms
from support.feedback.terms import Terms

PAGE = "feedback"
PERIODS = (30, 90, 365)
WEEKS_SHOWN = 26


async def page(request: web.Request) -> web.StreamResponse:
    return await _shown(request, {}, {})


async def _shown(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    days = next((one for one in PERIODS if request.query.get("days") == str(one)), PERIODS[1])

    def look(session: Session) -> dict[str, Any]:
        last = today(session, here.shop.timezone)
        first = last - timedelta(days=days - 1)
        known = terms.of(session, here.shop.id)
        return {
            "found": results.of(session, here.shop, here.shops, first, last), "first": first, "last": last,
            "topic_names": {one.key: one.called(said.language) for one in own_topics.own(session, here.shop.id)} | topics(said),
            "praise": [
                (one, goodwill_book.staff_name(session, one.staff_id))
                for one in compliments.of_shop(session, here.shop.id, now(session) - timedelta(days=days), 10)
            ],
            "form": form or _form(said, known),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    weeks = context["found"].weeks[-WEEKS_SHOWN:]
    context |= {
        "weeks": weeks, "chart": chart.draw([Bars(week.begins, week.low, week.good) for week in weeks]),
        "errors": errors, "days": days, "periods": PERIODS, "tenths": lambda value: tenths(said, value), "mid": _mid,
    }  # fmt: skip
    return await frame.render(request, "shop/feedback/results.html", context, page=PAGE, status=status)


def _form(said: Words, known: Terms) -> dict[str, str]:
    return {
        "nps_days": said.number(known.nps_days) if known.nps_days else "", "effort": "yes" if known.effort else "",
        "order_days": said.number(known.order_days) if known.order_days else "",
        "order_hours": said.number(known.order_hours), "order_after": known.order_after,
    }  # fmt: skip


def tenths(said: Words, value: int | None) -> str:
    """4,6 in Vietnamese, 4.6 in English; a dash where there is nothing."""
    return "–" if value is None else f"{value // 10}{',' if said.language == 'vi' else '.'}{value % 10}"


def _mid(day: date) -> date:
    """The Sunday of a week that begins on a Monday."""
    return day + timedelta(days=6)


async def save(request: web.Request) -> web.StreamResponse:
    """What is asked beyond the stars; every field that is wrong is said at once."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    numbers: dict[str, int] = {}
    errors: dict[str, str] = {}
    for name, (low, high) in _RANGES.items():
        usual = getattr(Terms(), name)
        try:
            found = fields.number(form, name)
        except InvalidError:
            found = -1
        numbers[name] = usual if found is None else found
        if numbers[name] != usual and not low <= numbers[name] <= high:
            between = {"low": said.number(low), "high": said.number(high)}
            errors[name] = (
                said("Between {low} and {high}.", **between) if usual
                else said("Between {low} and {high}, or empty: nobody is asked.", **between)
            )  # fmt: skip
    if errors:
        return await _shown(request, form, errors, status=422)
    asked = Terms(**numbers, effort=form.get("effort") == "yes", order_after=form.get("order_after", terms.COMPLETED))

    def write(session: Session) -> None:
        terms.change(session, here.shop.id, asked, here.actor)

    await site.store_of(request).write(write)
    return await frame.done(request, "/shop/feedback", said("Saved. It holds from now on."))


_RANGES = {"nps_days": terms.NPS_DAYS, "order_days": terms.ORDER_DAYS, "order_hours": terms.ORDER_HOURS}
