"""Which columns the steps of a campaign need, and which there are.

All of it is known before anybody works: an input has the columns that were written into
it, and a kind says what it needs (`spec.needs`) and what it gives (`Kind.gives`). So a
misspelt column is refused, where it would quietly make empty rows of everything.
"""

from collections.abc import Iterable

from optimai.core.campaign import Campaign
from optimai.core.errors import BadCampaign
from optimai.kinds import catalog


def check(campaign: Campaign) -> None:
    """Raises BadCampaign where a step, or the dataset's split, needs a column that there is not."""
    there = {
        name: dict.fromkeys(column for row in rows for column in row)
        for name, rows in campaign.inputs.items()
    }
    for step in campaign.steps:
        kind = catalog.of_step(step)
        given = there[step.source]
        for column in kind.needs(catalog.options_of(step.name, kind, step.options)):
            _has(f"steps.{step.name}", step.source, given, column)
        there[step.name] = dict.fromkeys(kind.kind.gives) | (given if kind.kind.carries else {})
    if campaign.dataset.by != "_row":
        source = campaign.dataset.source
        _has("dataset.split.by", source, there[source], campaign.dataset.by)


def _has(where: str, source: str, given: Iterable[str], column: str) -> None:
    if column not in given:
        has = ", ".join(given) or "none at all"
        raise BadCampaign(where, f"{source} has no column {column!r}", f"It has {has}")
