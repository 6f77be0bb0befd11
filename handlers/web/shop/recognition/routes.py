"""Where the console's pages of recognition are."""

from aiohttp import web

from handlers.web.shop.frame import console
from handlers.web.shop.recognition import badges, draws, overview, quests, surprises, thanks

ID = r"{id:\d{1,15}}"


def add_recognition(app: web.Application) -> None:
    """All of it is for who has the console's right at the shop: owners and managers."""
    add, shop = app.router, console()
    add.add_get("/shop/recognition", shop(overview.page))
    add.add_post("/shop/recognition/streak", shop(overview.save_streak))
    add.add_post(f"/shop/wins/{ID}/{{action:hand|again}}", shop(overview.settle))
    add.add_get("/shop/quests/new", shop(quests.new))
    add.add_get("/shop/quests/preview", shop(quests.preview))
    add.add_post("/shop/quests", shop(quests.create))
    add.add_get(f"/shop/quests/{ID}", shop(quests.edit))
    add.add_post(f"/shop/quests/{ID}", shop(quests.change))
    add.add_post(f"/shop/quests/{ID}/end", shop(quests.end))
    add.add_get("/shop/badges/new", shop(badges.new))
    add.add_post("/shop/badges", shop(badges.create))
    add.add_get(f"/shop/badges/{ID}", shop(badges.edit))
    add.add_post(f"/shop/badges/{ID}", shop(badges.change))
    add.add_post(f"/shop/badges/{ID}/{{action:stop|resume}}", shop(badges.act))
    add.add_post(f"/shop/badges/{ID}/give", shop(badges.give))
    add.add_post(f"/shop/badges/{ID}/picture", shop(badges.upload))
    add.add_get(f"/shop/badges/{ID}/picture", shop(badges.picture))
    add.add_get("/shop/draws/new", shop(draws.new))
    add.add_post("/shop/draws", shop(draws.save))
    add.add_get(f"/shop/draws/{ID}", shop(draws.page))
    add.add_post(f"/shop/draws/{ID}", shop(draws.save))
    add.add_post(f"/shop/draws/{ID}/{{action:open|close|remove}}", shop(draws.act))
    add.add_get("/shop/surprises/new", shop(surprises.new))
    add.add_post("/shop/surprises", shop(surprises.create))
    add.add_get(f"/shop/surprises/{ID}", shop(surprises.page))
    add.add_post(f"/shop/surprises/{ID}/end", shop(surprises.end))
    add.add_get("/shop/thanks", shop(thanks.page))
    add.add_post("/shop/thanks/rules", shop(thanks.add_rule))
    add.add_post(f"/shop/thanks/rules/{ID}/remove", shop(thanks.remove_rule))
    add.add_get(f"/shop/thanks/{ID}", shop(thanks.task))
    add.add_get(f"/shop/thanks/{ID}/preview", shop(thanks.preview))
    add.add_get(f"/shop/thanks/{ID}/card.png", shop(thanks.card))
    add.add_post(f"/shop/thanks/{ID}/send", shop(thanks.send))
    add.add_post(f"/shop/thanks/{ID}/photo", shop(thanks.photo))
    add.add_post(f"/shop/thanks/{ID}/skip", shop(thanks.skip))
    add.add_post(f"/shop/customers/{ID}/thanks", shop(thanks.by_hand))
