"""The closed shifts of the shop's till: who took what, and whether the drawer held it."""

from aiohttp import web

from handlers.web import site
from handlers.web.shop import frame, lists
from loyalty import shifts
from loyalty.shifts import Sort


async def page(request: web.Request) -> web.StreamResponse:
    """The last closed first; a script that sorts gets the table alone."""
    here = frame.frame_of(request)
    asked = lists.asked(request, "/shop/shifts", Sort, Sort.CLOSED, {Sort.CASHIER, Sort.DIFFERENCE}, {})
    found = await site.store_of(request).read(
        shifts.page, here.shop.id, sort=Sort(asked.sort), descending=asked.descending, place=asked.place
    )
    context = {"found": found, "asked": asked}
    if frame.by_script(request):
        return await frame.part(request, "shop/shift_list.html", context)
    return await frame.render(request, "shop/shifts.html", context, page="shifts")
