"""What `visibility: private` keeps: rows, tasks and results, and the words in which a judge or a node tells of them.

They are for the campaign's requester and for admins, by a token with the scope `read`; nodes are given what
they work on by their exchanges. How much was done, checked and paid is public in every campaign: the ledger
is everybody's.
"""

from collections.abc import Iterable

from optimai.core.errors import Private
from optimai.core.ids import OwnerId
from optimai.network.store.sql import Record
from optimai.network.store.tokens import Bearer

Who = Bearer | None  # None: anybody

WHY = "why is private, as the rows are"  # in place of the words


def belongs(who: Who, requesters: Iterable[OwnerId]) -> bool:
    """Whether all that is private to these requesters may be shown to `who`."""
    return (
        who is not None and "read" in who.scopes and ("admin" in who.scopes or {who.owner} >= set(requesters))
    )


def shown(who: Who, campaign: Record) -> bool:
    """`campaign` has the columns `private` and `requester`."""
    return not campaign["private"] or belongs(who, [campaign["requester"]])


def require(who: Who, campaign: Record, what: str) -> None:
    """Raises Private."""
    if not shown(who, campaign):
        raise Private(what)
