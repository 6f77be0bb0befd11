"""The lists of customers and of orders: searched, filtered, sorted, page by page."""

from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import frame, lists
from loyalty.customers import directory, phones
from loyalty.customers.directory import Only, Sort
from loyalty.orders import order_book
from loyalty.orders.orders import Status
from loyalty.tiers import tiers


async def page(request: web.Request) -> web.StreamResponse:
    """All customers of the shop; a script that searches gets the table alone."""
    context = await _customers(request)
    if frame.by_script(request):
        return await frame.part(request, "shop/people_list.html", context)
    return await frame.render(request, "shop/people.html", context, page="customers")


async def _customers(request: web.Request) -> dict[str, Any]:
    here, search = frame.frame_of(request), lists.search(request)
    only = lists.choice(Only, request.query.get("only"))
    asked = lists.asked(
        request, "/shop/customers", Sort, Sort.LAST, {Sort.NAME}, {"q": search, "only": only.value if only else ""}
    )

    def look(session: Session) -> tuple[directory.Page, dict[int, tuple[str, int]]]:
        found = directory.page(
            session, here.shop.id, search=search, sort=Sort(asked.sort), descending=asked.descending, only=only,
            place=asked.place,
        )  # fmt: skip
        return found, {tier.id: (tier.name, rank) for rank, tier in enumerate(tiers.every(session))}

    found, ranks = await site.store_of(request).read(look)
    return {"found": found, "ranks": ranks, "asked": asked, "local": phones.local, "days": directory}


async def orders(request: web.Request) -> web.StreamResponse:
    """The shop's orders."""
    here, search = frame.frame_of(request), lists.search(request)
    status = lists.choice(Status, request.query.get("status"))
    sorts = order_book.Sort
    asked = lists.asked(
        request, "/shop/orders", sorts, sorts.PLACED, {sorts.CUSTOMER, sorts.NUMBER},
        {"q": search, "status": status.value if status else ""},
    )  # fmt: skip

    def look(session: Session) -> order_book.Page:
        return order_book.page(
            session, here.shop.id, search=search, status=status, sort=sorts(asked.sort), descending=asked.descending,
            place=asked.place,
        )  # fmt: skip

    context = {"found": await site.store_of(request).read(look), "asked": asked}
    if frame.by_script(request):
        return await frame.part(request, "shop/order_list.html", context)
    return await frame.render(request, "shop/orders.html", context, page="orders")
