"""Addresses of campaigns in the console."""

from aiohttp import web

from handlers.web.shop.campaigns import carrying, composing, manners, pages
from handlers.web.shop.frame import console
from store.staff import Right

ID = r"{id:\d{1,15}}"
PLACE = r"{place:\d}"


def add_campaigns(app: web.Application) -> None:
    add, shop, owner = app.router, console(), console(Right.STAFF)
    add.add_get("/shop/campaigns", shop(pages.page))
    add.add_post("/shop/campaigns", shop(composing.create))
    add.add_get("/shop/campaigns/new", shop(composing.new))
    add.add_post("/shop/campaigns/effect", shop(composing.effect))
    add.add_post("/shop/campaigns/second", owner(pages.save_second))
    add.add_get(manners.PATH, shop(manners.page))
    add.add_post(manners.PATH, shop(manners.save))
    add.add_post(f"{manners.PATH}/do-not-call", shop(manners.upload))
    add.add_post(f"{manners.PATH}/costs", shop(manners.save_costs))
    add.add_get(f"/shop/campaigns/{ID}", shop(pages.one))
    add.add_post(f"/shop/campaigns/{ID}", shop(composing.save))
    add.add_get(f"/shop/campaigns/{ID}/progress", shop(pages.progress))
    add.add_get(f"/shop/campaigns/{ID}.xlsx", shop(pages.export))
    add.add_post(f"/shop/campaigns/{ID}/pictures", shop(carrying.add_picture))
    add.add_get(f"/shop/campaigns/{ID}/pictures/{PLACE}", shop(carrying.picture))
    add.add_post(f"/shop/campaigns/{ID}/pictures/{PLACE}", shop(carrying.drop_picture))
    add.add_post(f"/shop/campaigns/{ID}/test", shop(composing.send_test))
    add.add_post(
        f"/shop/campaigns/{ID}/{{action:pause|resume|stop|retry|discard}}", shop(pages.act)
    )  # fmt: skip
    add.add_post(f"/shop/campaigns/{ID}/approve", shop(pages.approve))
    add.add_post(f"/shop/campaigns/{ID}/refuse", shop(pages.refuse))
