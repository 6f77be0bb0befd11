"""Addresses of complaints and of what customers think, in the console."""

from aiohttp import web

from handlers.web.shop.feedback import complaints, results, terms
from handlers.web.shop.frame import console


def add_feedback(app: web.Application) -> None:
    add, shop = app.router, console()
    add.add_get("/shop/complaints", shop(complaints.page))
    add.add_post(r"/shop/complaints/goodwill/{id:\d{1,15}}/{act:approve|refuse|back}", shop(complaints.decide))
    add.add_get("/shop/complaints/terms", shop(terms.page))
    add.add_post("/shop/complaints/terms", shop(terms.save))
    add.add_get("/shop/feedback", shop(results.page))
    add.add_post("/shop/feedback/terms", shop(results.save))
