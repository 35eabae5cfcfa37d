"""Whether there are hands for each step of a campaign."""

from optimai.core.campaign import Campaign
from optimai.core.errors import BadCampaign
from optimai.kinds import catalog


def check(campaign: Campaign) -> None:
    """Raises BadCampaign for real people's work: nothing asks them yet, so it would wait until the campaign's end."""
    for step in campaign.steps:
        if campaign.people == "real" and catalog.of_step(step).kind.hands == {"person"}:
            raise BadCampaign(
                f"steps.{step.name}",
                f"{step.kind} asks people, and there is no page yet on which real ones could answer",
                "Write `people: simulated` beside `steps`, or take the step out",
            )
