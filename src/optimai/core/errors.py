"""Everything that can go wrong and be told to someone, in one place.

An error has a stable code, an HTTP status, whose fault it is, whether to try
again, and a sentence that says what to do next. The CLI, the API, the web and
the node's log all show that same sentence; `docs/errors.md` is made from here.
"""

from typing import ClassVar, Literal


class OptimaiError(Exception):
    code: ClassVar[str]
    status: ClassVar[int]
    fault: ClassVar[Literal["ours", "theirs", "nobody's"]]
    retry: ClassVar[bool] = False


# What people write


class BadValue(OptimaiError):
    code, status, fault = "bad_value", 422, "theirs"

    def __init__(self, what: str, got: object, example: str) -> None:
        super().__init__(f"{got!r} is not {what}. Write it like this: {example}")


class BadCampaign(OptimaiError):
    code, status, fault = "bad_campaign", 422, "theirs"

    def __init__(self, where: str, why: str, fix: str) -> None:
        super().__init__(f"{where}: {why}. {fix}")


class BadTable(OptimaiError):
    code, status, fault = "bad_table", 422, "theirs"

    def __init__(self, where: str, why: str) -> None:
        super().__init__(
            f"{where}: {why}. Write CSV with a header line and the columns that docs/truth.md names."
        )


# What machines send


class BadRows(OptimaiError):
    code, status, fault = "bad_rows", 422, "theirs"

    def __init__(self, line: int, why: str) -> None:
        super().__init__(
            f"Row {line} can't be taken: {why}. Write rows with kit.write_rows, all columns in each."
        )


class BadMessage(OptimaiError):
    code, status, fault = "bad_message", 400, "theirs"

    def __init__(self, why: str) -> None:
        super().__init__(f"The message can't be read: {why}. Send it as docs/wire.md describes.")


class TooLarge(OptimaiError):
    code, status, fault = "too_large", 413, "theirs"

    def __init__(self, what: str, most: int) -> None:
        super().__init__(f"{what} is larger than {most:,} bytes, the most that is taken. Send less at once.")


class BadSignature(OptimaiError):
    code, status, fault = "bad_signature", 401, "theirs"

    def __init__(self, key: str) -> None:
        super().__init__(f"The signature does not belong to key {key}. Sign the exact bytes with that key.")


class WrongNetwork(OptimaiError):
    code, status, fault = "wrong_network", 409, "theirs"

    def __init__(self, theirs: str, ours: str) -> None:
        super().__init__(
            f"This is for network {theirs}, and here is {ours}. Join again with this one's invite."
        )


class UnknownNode(OptimaiError):
    code, status, fault = "unknown_node", 401, "theirs"

    def __init__(self, node: str) -> None:
        super().__init__(f"Node {node} has not joined this network. Run `optimai join INVITE` first.")


class Replayed(OptimaiError):
    code, status, fault = "replayed", 409, "theirs"

    def __init__(self, serial: int, last: int) -> None:
        super().__init__(f"Serial {serial} was used before. Sign the next exchange with {last + 1} or more.")


class WrongMove(OptimaiError):
    code, status, fault = "wrong_move", 409, "theirs"

    def __init__(self, thing: str, state: str, to: str) -> None:
        super().__init__(f"{thing} is {state}: it can't become {to}. Fetch it again and look at its state.")


class LeaseOver(OptimaiError):
    code, status, fault = "lease_over", 409, "theirs"

    def __init__(self, thing: str, ended: object) -> None:
        super().__init__(
            f"The lease of {thing} ended at {ended} and another has its place. "
            f"Drop the result and ask for new work."
        )


class NotYours(OptimaiError):
    code, status, fault = "not_yours", 403, "theirs"

    def __init__(self, thing: str) -> None:
        super().__init__(
            f"{thing} was offered to somebody else. Answer only what your own exchanges brought."
        )


# Who may do what


class NoToken(OptimaiError):
    code, status, fault = "no_token", 401, "theirs"

    def __init__(self, fix: str = "Send it as `Authorization: Bearer …`; `optimai token` makes one.") -> None:
        super().__init__(f"This needs a token that the network knows. {fix}")


class NotAllowed(OptimaiError):
    code, status, fault = "not_allowed", 403, "theirs"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This token lacks the scope {scope!r}. Ask the network's operator for one that has it."
        )


class Private(OptimaiError):
    code, status, fault = "private", 403, "theirs"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is private by the terms of its campaign. "
            f"Send the token of its requester, or an admin's, with the scope 'read'."
        )


class NotFound(OptimaiError):
    code, status, fault = "not_found", 404, "theirs"

    def __init__(self, thing: str, name: object, look: str) -> None:
        super().__init__(f"There is no {thing} {name}. {look}")


class Taken(OptimaiError):
    code, status, fault = "taken", 409, "theirs"

    def __init__(self, thing: str, name: object, fix: str) -> None:
        super().__init__(f"The {thing} {name} is there already. {fix}")


class NoSuchRange(OptimaiError):
    code, status, fault = "no_such_range", 416, "theirs"

    def __init__(self, asked: str, size: int) -> None:
        super().__init__(
            f"The range {asked[:80]!r} has none of the {size:,} bytes that there are. "
            f"Ask for one that begins before their end."
        )


class InUse(OptimaiError):
    code, status, fault = "in_use", 409, "theirs"

    def __init__(self, what: str, who: str, fix: str) -> None:
        super().__init__(f"{what} is in use by {who}. {fix}")


# Money


class NotEnough(OptimaiError):
    code, status, fault = "not_enough", 402, "theirs"

    def __init__(self, account: str, has: str, needs: str, deposit: str) -> None:
        super().__init__(
            f"{account} has {has} OPI and needs {needs}. "
            f"Deposit the rest (the network's operator: `{deposit}`) and try again."
        )


class Overdrawn(OptimaiError):
    code, status, fault = "overdrawn", 402, "theirs"

    def __init__(self, has: str, wanted: str) -> None:
        super().__init__(
            f"{wanted} OPI were to be withdrawn, and {has} are on the account. "
            f"Ask for at most that; what is pending gets there once it can't be overturned any more."
        )


# Bytes and machines


class WrongBytes(OptimaiError):
    code, status, fault = "wrong_bytes", 422, "theirs"

    def __init__(self, blob: str) -> None:
        super().__init__(f"The bytes do not have the hash {blob}. Send them again, whole.")


class BadShard(OptimaiError):
    code, status, fault = "bad_shard", 422, "theirs"

    def __init__(self, blob: str, why: str) -> None:
        super().__init__(
            f"The rows of shard {blob} can't be used: {why}. See that the step reads the right dataset."
        )


class Exposed(OptimaiError):
    code, status, fault = "exposed", 500, "theirs"

    def __init__(self, path: str, mode: str, most: str) -> None:
        super().__init__(f"{path} is open to others (mode {mode}). Run: chmod {most} {path}")


class Unreachable(OptimaiError):
    code, status, fault = "unreachable", 503, "nobody's"
    retry = True

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} can't be reached: {why.rstrip('.')}. See that it is up.")


class Missing(OptimaiError):
    code, status, fault = "missing_extra", 501, "theirs"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs more than the base install. Run in a checkout: pip install '.[{extra}]'"
        )


class NoCheckout(OptimaiError):
    code, status, fault = "no_checkout", 501, "theirs"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"A kind is written among the others, and {path} is in no source checkout that you may write to. "
            f"Run this in one, after `make demo` or `make test` there."
        )


class WrongVersion(OptimaiError):
    code, status, fault = "wrong_version", 501, "theirs"

    def __init__(self, tool: str, has: str, wanted: str) -> None:
        super().__init__(
            f"{tool} {has} is installed, and this work needs {wanted}: others give other results. "
            f"Run: pip install '{tool}=={wanted}'"
        )


class ReportsHome(OptimaiError):
    code, status, fault = "reports_home", 501, "ours"

    def __init__(self, library: str, switch: str) -> None:
        super().__init__(
            f"{library} would report to its makers, so it is not started. Set {switch} before that."
        )


class DamagedKind(OptimaiError):
    code, status, fault = "damaged_kind", 503, "ours"

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(
            f"The kind {kind} can't be used: {why.rstrip('.')}. "
            f"Run `optimai kind check {kind}`, mend what it names, and start this again."
        )


class NobodyCan(OptimaiError):
    code, status, fault = "nobody_can", 501, "theirs"

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(
            f"The only machine here can't do {kind}: {why.rstrip('.')}. "
            f"Run the same command again when that is mended: it goes on."
        )


class ChildEnded(OptimaiError):
    code, status, fault = "child_ended", 500, "ours"

    def __init__(self, name: str, said: str, log: str) -> None:
        super().__init__(
            f"The process {name} ended by itself, and the rest with it; the last that it said: {said}. "
            f"Its log is {log}. Run the same command again: nothing acknowledged is lost."
        )


class Internal(OptimaiError):
    code, status, fault = "internal", 500, "ours"
    retry = True

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Something of ours broke in {where}; nothing acknowledged is lost. Try again, or read its log."
        )


def _by_code() -> dict[str, type[OptimaiError]]:
    return {kind.code: kind for kind in OptimaiError.__subclasses__()}


def known(code: str) -> bool:
    return code in _by_code()


def told(code: str, message: str) -> OptimaiError:
    """An error that another machine told us, as if it had been raised here. An unknown code is Internal."""
    error = OptimaiError.__new__(_by_code().get(code, Internal))
    error.args = (message,)
    return error
