"""What a campaign would cost, from a short run of it: bounds from its kinds, ratios and rates as measured.

units     as paid where the sample came to the step's end, else between the kind's own bounds for the rows
          that come in (`spec.bound`); of a row that three people answer, three
rows out  as in the sample: rows that came out for each unit; as many as units where none has come out yet
cost      units x price, and the share that a second owner does again
time      as long for each unit as in the sample; what people do is not in it
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from optimai.core.campaign import Campaign
from optimai.core.chance import MILLION
from optimai.kinds import catalog


class Line(Struct, frozen=True, kw_only=True):
    """A step's share of the estimate. Amounts are nano-OPI."""

    step: str
    kind: str
    unit: str
    rows_in: int  # at most
    least: int  # units
    most: int
    cost_least: int
    cost_most: int
    rows: int  # that come out, at most
    tried: bool  # the sample did some of it
    seconds: float | None  # at the sample's rate; None where it was not tried, or people do it


def estimate(
    campaign: Campaign, sample: Sequence[Mapping[str, Any]], took: Mapping[str, float]
) -> list[Line]:
    """`sample` are the steps of a short run, as `GET /v1/campaigns/NAME` tells them.

    `took` says how many seconds passed there from a step's first task to its last verdict.
    """
    told = {step["name"]: step for step in sample}
    rows = {name: len(given) for name, given in campaign.inputs.items()}
    lines = []
    for step in campaign.steps:
        kind = catalog.load(step.kind)
        options = catalog.options_of(step.name, kind, step.options)
        least, most = kind.bound(options, rows[step.source])
        price = step.price.nano if step.price else 0
        audit = kind.kind.audit if step.audit is None else step.audit
        seen = told.get(step.name)
        held, out = (seen["held"], seen["rows"]) if seen else (0, 0)
        ended = bool(seen and seen["state"] == "sealed" and not seen["standing"])
        if ended:
            least = most = held
        came = rows[step.source]
        if ended:
            rows[step.name] = out
        else:
            rows[step.name] = most * min(out, held) // held if out and held else most
        if kind.kind.reads != "nothing":
            rows[step.name] = min(rows[step.name], rows[step.source])
        tried = ended or held > 0
        seconds = took[step.name] * most / held if held else took[step.name]
        lines.append(
            Line(
                step=step.name,
                kind=step.kind,
                unit=kind.kind.unit,
                rows_in=came,
                least=least,
                most=most,
                cost_least=least * price,
                cost_most=most * price + most * price * audit // MILLION,
                rows=rows[step.name],
                tried=tried,
                seconds=seconds if tried and "machine" in kind.kind.hands else None,
            )
        )
    return lines
