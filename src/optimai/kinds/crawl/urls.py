"""One page, one URL: the form in which URLs are compared, kept and asked for.

As a browser reads them (https://url.spec.whatwg.org, by ada), http and https only,
without fragment, name or password.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import ada_url

from optimai.kinds.crawl.outcome import MOST_URL, host


def normal(url: str, base: str = "") -> str | None:
    """The normal form of a URL, or of a link on the page `base`; None where nobody fetches such a thing."""
    if len(url) > 2 * MOST_URL:
        return None
    try:
        whole = ada_url.join_url(base, url) if base else ada_url.normalize_url(url)
    except ValueError:
        return None
    whole = whole.partition("#")[0]
    scheme, _, rest = whole.partition("://")
    if scheme not in {"http", "https"} or "@" in rest.partition("/")[0] or len(whole) > MOST_URL:
        return None
    return whole


def inside(url: str, within: Sequence[str]) -> bool:
    name = host(url)
    return name in within or any(fnmatchcase(name, glob) for glob in within if "*" in glob)
