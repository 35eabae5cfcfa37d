"""What `out/demo/report.json` holds. Its keys are told in docs/demo.md: programs may rely on them."""

from msgspec import Struct


class StepLine(Struct, frozen=True, omit_defaults=True):
    name: str
    rows_in: int
    rows_out: int
    answers: int = 0  # of standing work, which makes no rows


class NodeLine(Struct, frozen=True):
    name: str
    habit: str
    simulated: bool
    done: int
    accepted: int
    caught_by: str | None
    earned_nopi: int
    undue_nopi: int  # of that: not free when it was suspended
    bond_nopi: int  # kept of what it earned, until it leaves; lost by who is suspended
    why: str


class Fault(Struct, frozen=True):
    what: str
    survived: bool


class Ledger(Struct, frozen=True):
    sum_nopi: int
    double_paid: int
    lost_results: int
    acknowledged_results: int  # among which they were looked for


class Dataset(Struct, frozen=True):
    name: str
    path: str
    rows: int


class Verified(Struct, frozen=True):
    epoch: int
    ok: bool
    tampered_detected: bool
    fullest: int  # the epoch with the most verdicts
    verdicts: int  # recomputed, in all epochs


class Report(Struct, frozen=True, kw_only=True):
    ok: bool
    seconds: float
    steps: tuple[StepLine, ...]
    nodes: tuple[NodeLine, ...]
    faults: tuple[Fault, ...]
    ledger: Ledger
    dataset: Dataset
    verify: Verified
    wrong: tuple[str, ...]  # claims that did not hold
