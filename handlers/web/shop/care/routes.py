"""Addresses of care in the console."""

from aiohttp import web

from handlers.web.shop.care import incidents, plans
from handlers.web.shop.frame import console

ID = r"{id:\d{1,15}}"


def add_care(app: web.Application) -> None:
    add, shop = app.router, console()
    add.add_get("/shop/care", shop(plans.page))
    add.add_post("/shop/care", shop(plans.save))
    add.add_post(f"/shop/care/{ID}", shop(plans.save))
    add.add_post(f"/shop/care/{ID}/people", shop(plans.put_in))
    add.add_post(f"/shop/care/tasks/{ID}/{{act:done|skip|out}}", shop(plans.act))
    add.add_get("/shop/incidents", shop(incidents.page))
    add.add_get("/shop/incidents/preview", shop(incidents.preview))
    add.add_post("/shop/incidents", shop(incidents.begin))
    add.add_post(f"/shop/incidents/{ID}/close", shop(incidents.close))
