"""Who may take a task: a draw that anybody can recompute, so that nobody can choose his tasks, or his company.

Each owner has a number for each task, from the epoch's seed; he may take it when the threshold is above that number.
The threshold begins low and doubles while the task waits, until everybody may take it: in a large network few see a
task at once, in a small one nobody waits long, and nobody has to know who was there. Who is worth more gets to see
tasks up to one doubling earlier than who is worth nothing.
"""

from datetime import timedelta

from optimai.core.chance import MILLION, Ppm, Seed, draw
from optimai.core.ids import OwnerId, TaskId

EVERYBODY = 1 << 64


def threshold(waited: timedelta, quality: Ppm, *, first: Ppm, doubling: timedelta) -> int:
    """In [0, EVERYBODY]. `first` is the share of owners without quality who may take a task that has just come."""
    doublings = min(64, max(timedelta(), waited) // doubling)
    share = (first << doublings) * (MILLION + quality)
    return min(EVERYBODY, (share << 64) // MILLION**2)


def may_take(seed: Seed, task: TaskId, owner: OwnerId, threshold: int) -> bool:
    return draw(seed, "take", task, owner) < threshold
