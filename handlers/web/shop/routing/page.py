"""Team and routing: who is there with how much, which request goes to which team, and a trial that says why."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import routing_words
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from handlers.web.shop.routing import names as naming
from handlers.web.shop.routing.teams import may_change
from handlers.words import Words
from store.errors import InvalidError, NotFoundError
from support.routing import overview, router, rules, teams
from support.routing.decision import Status
from support.routing.teams import Team

PATH = "/shop/routing"


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request, {}, {})


async def _page(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        called, found = naming.of(session, said, here.shop.id), teams.of(session, here.shop.id)
        known = rules.of(session, here.shop.id)
        desk = {one.id: one.name for one in teams.desk_of(session, here.shop.id)}
        return {
            "teams": [(team, _members(said, team, desk), may_change(here, team)) for team in found],
            "rules": [(rule, called.rule(said, rule), _called(found, rule.team_id)) for rule in known],
            "rest": None if any(rule.takes_all for rule in known) or not found else found[0], "names": called,
            "now_there": _now(session, here, said) if found else None,
        }  # fmt: skip

    context = {
        **await site.store_of(request).read(look),
        "form": {"topic": "", "language": "", "tier": "", "team": "", **form},
        "errors": errors,
    }
    return await frame.render(request, "shop/routing/routing.html", context, page="routing", status=status)


async def now(request: web.Request) -> web.StreamResponse:
    """Who is there, as a piece of the page."""
    here, said = frame.frame_of(request), site.words_of(request)
    found = await site.store_of(request).read(_now, here, said)
    return await frame.part(request, "shop/routing/now.html", {"now_there": found})


def _now(session: Session, here: Frame, said: Words) -> dict[str, Any]:
    found = overview.of(session, here.shop.id)
    return {
        "colleagues": [
            {
                "id": one.member.id, "name": one.member.name, "teams": one.teams, "load": one.load, "cap": one.agent.cap,
                "status": one.status.value, "words": routing_words.status(said, one.status), "here": one.status is Status.HERE,
            }
            for one in found.colleagues
        ],
        "queues": [
            {
                "name": one.team.name, "waiting": one.waiting,
                "since": said.moment(one.since, here.shop.timezone) if one.since else "",
            }
            for one in found.queues
        ],
        "lying": found.lying,
    }  # fmt: skip


async def trial(request: web.Request) -> web.StreamResponse:
    """Where such a request would go now, and why."""
    here, said, asked = frame.frame_of(request), site.words_of(request), request.query

    def look(session: Session) -> dict[str, Any]:
        called = naming.of(session, said, here.shop.id)
        topic, language, tier = asked.get("topic", ""), asked.get("language", ""), asked.get("tier", "")
        tier_id = frame.whole(tier) if tier else None
        if topic not in called.topics or language not in called.languages or tier_id not in {None, *called.tiers}:
            raise NotFoundError("trial", topic[:20])
        found = router.trial(session, here.shop.id, topic, language, tier_id)
        if found is None:
            return {"tried": None}
        chosen = found.choice.to
        return {
            "tried": {
                "rule": called.rule(said, found.rule), "team": found.team.name, "to": chosen.name if chosen else None,
                "candidates": [
                    {
                        "name": one.candidate.name, "load": one.candidate.load, "cap": one.candidate.cap,
                        "free": one.why_not is None, "chosen": one.candidate is chosen,
                        "why": routing_words.why_not(said, one.why_not),
                    }
                    for one in found.choice.weighed
                ],
            }
        }  # fmt: skip

    return await frame.part(request, "shop/routing/trial.html", await site.store_of(request).read(look))


async def add_rule(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    try:
        await site.store_of(request).write(
            rules.add, here.member, here.shop.id, frame.whole(form.get("team", "")), topic=form.get("topic") or None,
            language=form.get("language") or None, tier_id=frame.whole(form["tier"]) if form.get("tier") else None,
        )  # fmt: skip
    except InvalidError as error:
        words = {
            "topic": said("Choose one of the topics."), "language": said("Choose their language."),
            "tier": said("Choose one of the tiers."), "team": said("That's enough rules. Take one out first."),
        }  # fmt: skip
        return await _page(request, form, {error.field: words.get(error.field) or site.say(said, error)}, status=422)
    return await frame.done(request, PATH, said("The rule is in the list."))


async def act_on_rule(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    store, action = site.store_of(request), request.match_info["action"]
    if action == "remove":
        await store.write(rules.remove, here.member, here.shop.id, number)
        return await frame.done(request, PATH, said("The rule is taken out."))
    await store.write(rules.move, here.member, here.shop.id, number, up=action == "up")
    return await frame.done(request, PATH, said("The rules count in this order now."))


def _called(found: Sequence[Team], team_id: int) -> str:
    return next((team.name for team in found if team.id == team_id), "?")


def _members(said: Words, team: Team, desk: Mapping[int, str]) -> str:
    if team.everyone:
        return said("everybody at every desk") if team.shop_id is None else said("everybody at this desk")
    return ", ".join(desk[one] for one in desk if one in team.listed)
