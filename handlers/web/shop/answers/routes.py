"""Where the console's pages of articles and macros are."""

from aiohttp import web

from handlers.web.shop.answers import articles, macros
from handlers.web.shop.frame import console

ID = r"{id:\d{1,15}}"


def add_answers(app: web.Application) -> None:
    """All of it is for who has the console's right at the shop: owners and managers."""
    add, shop = app.router, console()
    add.add_get("/shop/articles", shop(articles.page))
    add.add_post("/shop/articles", shop(articles.create))
    add.add_get("/shop/articles/new", shop(articles.new))
    add.add_post("/shop/articles/preview", shop(articles.preview))
    add.add_post("/shop/articles/gaps", shop(articles.put_aside))
    add.add_get(f"/shop/articles/{ID}", shop(articles.edit))
    add.add_post(f"/shop/articles/{ID}", shop(articles.save))
    add.add_post(f"/shop/articles/{ID}/{{action:hide|restore|discard}}", shop(articles.act))
    add.add_get("/shop/macros", shop(macros.page))
    add.add_post("/shop/macros", shop(macros.create))
    add.add_get("/shop/macros/new", shop(macros.new))
    add.add_get(f"/shop/macros/{ID}", shop(macros.edit))
    add.add_post(f"/shop/macros/{ID}", shop(macros.save))
    add.add_post(f"/shop/macros/{ID}/remove", shop(macros.remove))
