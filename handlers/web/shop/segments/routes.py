"""Where the pages of segments are: all of it is for who has the console's right at the shop."""

from aiohttp import web

from handlers.web.shop.frame import console
from handlers.web.shop.segments import builder, membership, overview, uploading

ID = r"{id:\d{1,15}}"


def add_segments(app: web.Application) -> None:
    add, shop = app.router, console()
    add.add_get("/shop/segments", shop(overview.page))
    add.add_get(f"/shop/segments/{ID}/count", shop(overview.count))
    add.add_post(f"/shop/segments/{ID}/remove", shop(overview.remove))
    add.add_get("/shop/segments/new", shop(builder.new))
    add.add_post("/shop/segments", shop(builder.save))
    add.add_get(f"/shop/segments/{ID}", shop(builder.edit))
    add.add_post(f"/shop/segments/{ID}", shop(builder.save))
    add.add_post("/shop/segments/compose", shop(builder.compose))
    add.add_post("/shop/segments/effect", shop(builder.effect))
    add.add_post("/shop/segments/why", shop(builder.why))
    add.add_get("/shop/customers/{id:\\d{1,15}}/groups", shop(membership.groups))
    add.add_get("/shop/segments/upload", shop(uploading.page))
    add.add_post("/shop/segments/upload", shop(uploading.upload))
    add.add_post(f"/shop/segments/{ID}/upload", shop(uploading.upload))
    add.add_get(f"/shop/segments/{ID}/unmatched.csv", shop(uploading.unmatched))
