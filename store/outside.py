"""Outside: which addresses this program may call on somebody's word. What answers inside the shop's own network (a router,
a database, a cloud's metadata) is none of them, or a webhook's address would be a way in.
"""

import ipaddress
import re
from urllib.parse import urlsplit

URL_CHARS_MAX = 500
_MAPPED = tuple(ipaddress.ip_network(one) for one in ("64:ff9b::/96", "2002::/16", "2001::/32"))
"""IPv6 addresses that stand for an IPv4 one (NAT64, 6to4, Teredo): what they lead to can't be told from them."""
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


def is_public(address: str) -> bool:
    """Whether an IP address is one that everybody on the Internet may call."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif any(found in network for network in _MAPPED):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def url_problem(url: str, *, private: bool) -> str | None:
    """What forbids to call this URL, as far as the URL itself says: `format`, `https`, `private`; None: nothing.

    What its host's name leads to is seen when it is called. `private`: http and private addresses are allowed, too.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "format"
    if len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "format"
    if parts.scheme not in {"https", "http"} or not _HOST.fullmatch(host) or parts.username is not None or port == 0:
        return "format"
    if private:
        return None
    if parts.scheme != "https":
        return "https"
    if _literal(host):
        return None if is_public(host) else "private"
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host:
        return "private"
    return None


def _literal(host: str) -> bool:
    """Whether a host is an address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
