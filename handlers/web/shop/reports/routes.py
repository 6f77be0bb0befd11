"""Addresses of the desk's reports in the console."""

from aiohttp import web

from handlers.web.shop.frame import console
from handlers.web.shop.reports import page
from handlers.web.shop.reports.exports import NAMES
from store.staff import Right


def add_reports(app: web.Application) -> None:
    add, shop = app.router, console(Right.REPORTS)
    add.add_get("/shop/support", shop(page.page))
    add.add_get("/shop/support/figures", shop(page.counted))
    add.add_get("/shop/support/rows.xlsx", shop(page.export))
    add.add_get(f"/shop/support/{{sheet:{'|'.join(NAMES)}}}.csv", shop(page.export))
