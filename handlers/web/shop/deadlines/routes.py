"""Where the console's pages of opening hours and deadlines are."""

from aiohttp import web

from handlers.web.shop.deadlines import hours, policy
from handlers.web.shop.frame import console


def add_deadlines(app: web.Application) -> None:
    """All of it is for who has the console's right at the shop: owners and managers."""
    add, shop = app.router, console()
    add.add_get("/shop/hours", shop(hours.page))
    add.add_get("/shop/hours/preview", shop(hours.preview))
    add.add_post("/shop/hours", shop(hours.save))
    add.add_get("/shop/deadlines", shop(policy.page))
    add.add_get("/shop/deadlines/preview", shop(policy.preview))
    add.add_post("/shop/deadlines", shop(policy.save))
