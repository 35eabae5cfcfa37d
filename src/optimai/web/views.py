"""Templates, and what they may call."""

from importlib.resources import files
from typing import Any

from blake3 import blake3
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from litestar.enums import MediaType
from litestar.openapi.spec import OpenAPI
from markupsafe import Markup

from optimai.core.errors import OptimaiError
from optimai.core.money import Nano, opi
from optimai.network.queries.campaigns import Campaign
from optimai.network.queries.health import Health
from optimai.network.queries.money import Money
from optimai.web import words

ASSETS = {
    "style.css": "text/css",
    "live.js": "text/javascript",
    "mark.svg": "image/svg+xml",
}
PARTS = (
    "health",
    "lead",
    "road",
    "checks",
    "work",
    "money",
)  # of a campaign's page: they change while it runs

# Nothing is loaded but our own files, and nothing runs but our own script.
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}

_static = files("optimai.web") / "static"
contents = {name: (_static / name).read_bytes() for name in ASSETS}


def asset(name: str) -> str:
    """Its path; another content is another path, so that browsers may keep it for ever."""
    return f"/static/{blake3(contents[name]).hexdigest()[:12]}/{name}"


def short(name: str) -> Markup:
    """The beginning of an id, the whole of it for who asks."""
    return Markup('<code class="id" title="{}">{}</code>').format(name, name[:12])


def spark(series: tuple[int, ...]) -> str:
    """Points of a line in a box of 100 by 28."""
    top = max(series, default=0) or 1
    step = 100 / max(1, len(series) - 1)
    return " ".join(f"{place * step:.1f},{26 - 24 * value / top:.1f}" for place, value in enumerate(series))


def shares(money: Money) -> list[tuple[str, str, Nano, float, float]]:
    """Where the budget is: (name, words, nano-OPI, begin and width in a box of 1,000)."""
    found = []
    begin = 0.0
    for name, said, nano in (
        ("available", "paid", money.available),
        ("pending", "pending, can still be overturned", money.pending),
        ("reserved", "reserved for offered work", money.reserved),
        ("escrow", "in escrow, returns if unspent", money.escrow),
        ("returned", "returned", money.returned),
    ):
        width = nano * 1000 / money.budget
        found.append((name, said, nano, begin, width))
        begin += width
    return found


_environment = Environment(
    loader=PackageLoader("optimai.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "opi": lambda nano: opi(Nano(nano)),
    "about": words.about,
    "amount": words.amount,
    "number": lambda number: f"{number:,}",
    "count": words.count,
    "sentence": words.sentence,
    "span": words.span,
    "size": words.size,
    "share": words.share,
    "quality": words.quality,
    "short": short,
    "spark": spark,
}
_environment.globals |= {
    "asset": asset,
    "words": words,
    "when": words.when,
    "shares": shares,
}


def parts(campaign: Campaign, health: Health) -> dict[str, str]:
    """The HTML inside of each part of a campaign's page."""
    return {
        part: _environment.get_template(f"part/{part}.html").render(campaign=campaign, health=health)
        for part in PARTS
    }


def asked(schema: OpenAPI) -> list[tuple[str, str, str]]:
    """What a program may ask for: (method, path, what that does), by path."""
    found = []
    for path, item in sorted((schema.paths or {}).items()):
        for method, operation in (("GET", item.get), ("PUT", item.put), ("POST", item.post)):
            if operation:
                found.append((method, path, operation.description or ""))
    return found


def page(template: str, health: Health, **values: Any) -> Response[str]:
    return _html(template, 200, health=health, now=health.now, **values)


def error(fault: OptimaiError, health: Health | None) -> Response[str]:
    return _html("error.html", fault.status, health=health, fault=fault)


def _html(template: str, status: int, **values: Any) -> Response[str]:
    text = _environment.get_template(template).render(**values)
    headers = HEADERS | {"cache-control": "no-store"}
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=headers)
