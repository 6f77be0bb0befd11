"""Journeys in the console: which there are and how many people are in them, the ready-made ones, who stands where, tasks."""

from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import frame
from handlers.web.shop.journeys import composing, said
from handlers.web.shop.journeys.editor import PAGE, PLACE
from handlers.web.shop.journeys.ready_words import ready_words
from handlers.web.shop.needs import Ask, Need, Severity
from loyalty.outreach.journeys import journeys, ready, standings, steps, tasks
from loyalty.outreach.segments import saved
from loyalty.vouchers import voucher_programs
from store.errors import NotFoundError

PEOPLE_SHOWN = 50
DONE_SHOWN = 20


async def page(request: web.Request) -> web.StreamResponse:
    here, words = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        names = {one.id: one.name for one in saved.of_shop(session, here.shop.id)}
        counts = standings.of_shop(session, here.shop.id)
        return {
            "every": [
                {
                    "journey": one, "begins": said.begins(words, one.trigger, names), "count": counts.get(one.id, {}),
                    "steps": len(steps.places(one.steps)),
                }
                for one in journeys.of_shop(session, here.shop.id)
            ],
            "waiting": tasks.waiting(session, here.shop.id),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {"ready": [(key, *ready_words(words)[key]) for key in ready.READY]}
    return await frame.render(request, "shop/journeys/journeys.html", context, page=PAGE)


async def adopt(request: web.Request) -> web.StreamResponse:
    """Take a ready-made one over as a draft."""
    here, words = frame.frame_of(request), site.words_of(request)
    made = await site.store_of(request).write(ready.adopt, here.shop.id, request.match_info["key"], here.actor)
    told = words("Here it is, still off. Read it through, change what you like, then switch it on.")
    return await frame.done(request, f"{PLACE}/{made.id}", told)


async def act(request: web.Request) -> web.StreamResponse:
    """Switch on or off, remove."""
    here, words, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    store, action = site.store_of(request), request.match_info["action"]
    if action == "remove":
        await store.write(journeys.remove, number, here.shop.id, here.actor)
        return await frame.done(request, PLACE, words("The journey is gone. What it sent and gave stays."))
    kept = await store.write(journeys.switch, number, here.shop.id, here.actor, on=action == "on")
    told = (
        words("“{name}” is on. Whoever it is meant for begins from now on.", name=kept.name)
        if kept.on
        else words("“{name}” is off. Nobody begins, and who is in it stands still.", name=kept.name)
    )
    return await frame.done(request, f"{PLACE}/{number}", told)


async def people(request: web.Request) -> web.StreamResponse:
    """Who stands at a step, or how it ended for whom; the newest first."""
    here, words, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    query = request.query
    step = frame.whole(query["step"]) if query.get("step") else None
    after = frame.whole(query["after"]) if query.get("after") else 0
    state = query.get("state", "")
    if state not in {"", "active", "done", "left"}:
        raise NotFoundError("page", state[:20])

    def look(session: Session) -> dict[str, Any]:
        found = journeys.get(session, number, here.shop.id)
        segments = saved.of_shop(session, here.shop.id)
        offers = {str(one.id): one.name for one in voucher_programs.every(session)}
        known = {"offers": offers, "segments": segments, "shop_name": here.shop.name}
        lines = {
            node.id: (node, said.line(words, node, known))
            for node in composing.every(composing.nodes(found.steps, segments))
        }
        rows = standings.people(
            session, number, step=step, state=state or None, after=after, limit=PEOPLE_SHOWN + 1
        )  # fmt: skip
        stands, unheard = standings.standing(session, number), standings.unheard(session, found, rows)
        return {
            "short": {
                one.run_id: said.told_once([
                    *(said.missed(words, miss["what"], miss["reason"]) for miss in one.missed or ()),
                    *(said.unheard(words, why) for _, why in unheard.get(one.run_id, ())),
                ])
                for one in rows
            },
            "journey": found, "lines": lines, "people": rows[:PEOPLE_SHOWN], "stands": stands,
            "under_way": sum(count for (state, _), count in stands.items() if state == "active"),
            "more": rows[PEOPLE_SHOWN - 1].run_id if len(rows) > PEOPLE_SHOWN else None,
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {"step": step, "state": state, "kinds": said.kinds(words)}
    return await frame.render(request, "shop/journeys/people.html", context, page=PAGE)


async def tasks_page(request: web.Request) -> web.StreamResponse:
    here = frame.frame_of(request)

    def look(session: Session) -> dict[str, Any]:
        return {
            "tasks": tasks.of_shop(session, here.shop.id),
            "done": tasks.of_shop(session, here.shop.id, done=True, limit=DONE_SHOWN),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    return await frame.render(request, "shop/journeys/tasks.html", context, page=PAGE)


async def settle(request: web.Request) -> web.StreamResponse:
    """A task is done, or isn't after all."""
    here, words, done = frame.frame_of(request), site.words_of(request), request.match_info["action"] == "done"
    await site.store_of(request).write(tasks.settle, frame.named(request), here.shop.id, here.actor, done=done)
    return await frame.done(
        request, f"{PLACE}/tasks", words("Done. Thank you.") if done else words("It is open again.")
    )


def journey_tasks(session: Session, ask: Ask) -> Need | None:
    """For today's list."""
    here, words = ask.here, ask.said
    count = tasks.waiting(session, here.shop.id)
    if not count:
        return None
    return Need(
        Severity.SOON, "note",
        words.plural("{n} task from your journeys", "{n} tasks from your journeys", count),
        words("Small things a person does better than a message: a call, a card."), words("Look at them"),
        here.url(f"{PLACE}/tasks"),
    )  # fmt: skip
