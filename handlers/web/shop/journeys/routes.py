"""Where the console's pages of journeys are."""

from aiohttp import web

from handlers.web.shop.frame import console
from handlers.web.shop.journeys import editor, page

ID = r"{id:\d{1,15}}"


def add_journeys(app: web.Application) -> None:
    """All of it is for who has the console's right at the shop: owners and managers."""
    add, shop = app.router, console()
    add.add_get("/shop/journeys", shop(page.page))
    add.add_post("/shop/journeys", shop(editor.save))
    add.add_get("/shop/journeys/new", shop(editor.new))
    add.add_post("/shop/journeys/shape", shop(editor.shape))
    add.add_post("/shop/journeys/flow", shop(editor.flow))
    add.add_post("/shop/journeys/trial", shop(editor.trial))
    add.add_post("/shop/journeys/ready/{key:[a-z_]{1,30}}", shop(page.adopt))
    add.add_get("/shop/journeys/tasks", shop(page.tasks_page))
    add.add_post(f"/shop/journeys/tasks/{ID}/{{action:done|open}}", shop(page.settle))
    add.add_get("/shop/journeys/pictures/{sha:[0-9a-f]{64}}", shop(editor.picture))
    add.add_get(f"/shop/journeys/{ID}", shop(editor.edit))
    add.add_post(f"/shop/journeys/{ID}", shop(editor.save))
    add.add_get(f"/shop/journeys/{ID}/people", shop(page.people))
    add.add_post(f"/shop/journeys/{ID}/{{action:on|off|remove}}", shop(page.act))
