"""One outcome before the judge: who says that it is so, who says that it is not, and what follows."""

from msgspec import Struct

from optimai.kinds.crawl.outcome import Outcome, checkable

DISPUTES = {"differs", "gone"}
CLEAR = 2  # voices by which a dispute is decided while somebody else can be asked


class Ballot(Struct, frozen=True):
    """What was said of one outcome: by the first owner's word, and by each audit in order."""

    outcome: Outcome
    word: bool
    said: tuple[str, ...]

    @property
    def yes(self) -> int:
        return self.word + self.said.count("same")

    @property
    def no(self) -> int:
        return sum(one in DISPUTES for one in self.said)

    @property
    def open(self) -> bool:
        return self.yes == self.no and checkable(self.outcome)

    @property
    def close(self) -> bool:
        """Disputed, and one voice more on a side would change it: two liars who agree are no more than that."""
        return self.yes > 0 and self.no > 0 and abs(self.yes - self.no) < CLEAR

    @property
    def holds(self) -> bool:
        return self.yes > self.no

    @property
    def refuted(self) -> bool:
        return self.no > self.yes

    def fate(self, audit: int) -> str:
        """Of what this audit said."""
        said = self.said[audit]
        if said == "unreachable":
            return said
        if self.open:
            return "undecided"
        if said in DISPUTES:
            return "right" if self.refuted else "wrong"
        if self.refuted:
            return "wrong" if said == "same" else "undecided"
        return "right"

    def tells_of(self, audit: int) -> bool:
        """This audit took a side, and so did another one."""
        sides = [one == "same" or one in DISPUTES for one in self.said]
        return sides[audit] and sum(sides) > 1 and not self.open
