"""Addresses of privacy in the console."""

from aiohttp import web

from handlers.web.shop.frame import console
from handlers.web.shop.privacy import customer, page
from store.staff import Right

ID = r"{id:\d{1,15}}"


def add_privacy(app: web.Application) -> None:
    add, shop, owner = app.router, console(), console(Right.STAFF)
    add.add_get("/shop/privacy", shop(page.page))
    add.add_post("/shop/privacy/periods", owner(page.save))
    add.add_post("/shop/privacy/inactive", owner(page.save_inactive))
    add.add_post(f"/shop/privacy/{ID}/{{act:answer|erase}}", shop(page.act))
    add.add_get(f"/shop/customers/{ID}/privacy", shop(customer.page))
    add.add_post(f"/shop/customers/{ID}/privacy/consents", shop(customer.consent))
    add.add_post(f"/shop/customers/{ID}/privacy/copy.{{kind:zip|json}}", shop(customer.copy))
    add.add_post(f"/shop/customers/{ID}/privacy/erase", shop(customer.erase))
    add.add_post(f"/shop/customers/{ID}/privacy/stay", shop(customer.stay))
