"""Where the pages of team and routing are."""

from aiohttp import web

from handlers.web.shop.frame import console
from handlers.web.shop.routing import agents, page, teams

ID = r"{id:\d{1,15}}"


def add_routing(app: web.Application) -> None:
    add, shop = app.router, console()
    add.add_get("/shop/routing", shop(page.page))
    add.add_get("/shop/routing/now", shop(page.now))
    add.add_get("/shop/routing/trial", shop(page.trial))
    add.add_post("/shop/routing/rules", shop(page.add_rule))
    add.add_post(f"/shop/routing/rules/{ID}/{{action:up|down|remove}}", shop(page.act_on_rule))
    add.add_get("/shop/routing/teams/new", shop(teams.new))
    add.add_post("/shop/routing/teams", shop(teams.save))
    add.add_get(f"/shop/routing/teams/{ID}", shop(teams.edit))
    add.add_post(f"/shop/routing/teams/{ID}", shop(teams.save))
    add.add_post(f"/shop/routing/teams/{ID}/remove", shop(teams.remove))
    add.add_get(f"/shop/routing/agents/{ID}", shop(agents.page))
    add.add_post(f"/shop/routing/agents/{ID}", shop(agents.save))
