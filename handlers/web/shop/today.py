"""Today: the things that need the owner, and who came back."""

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import chart, frame
from handlers.web.shop.checks import CHECKS
from handlers.web.shop.needs import SHOWN, Ask, Need, Severity, gather
from loyalty.insights import today
from loyalty.insights.today import Week


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    messengers = [name for name, _ in request.config_dict[site.SITE].links("")]

    def look(session: Session) -> tuple[list[Need], list[Week]]:
        return gather(session, Ask(here, said, messengers), CHECKS), today.weeks(session, here.shop)

    found, weeks = await site.store_of(request).read(look)
    needs = [need for need in found if need.severity > Severity.STEP]
    steps = [need for need in found if need.severity is Severity.STEP][: max(0, SHOWN - len(needs))]
    context = {
        "needs": needs[:SHOWN], "rest": needs[SHOWN:], "steps": steps, "weeks": weeks, "chart": chart.draw(weeks),
        "bought": any(week.new or week.returning for week in weeks),
    }  # fmt: skip
    return await frame.render(request, "shop/today.html", context, page="today")
