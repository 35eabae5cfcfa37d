"""Names of things: each noun has a type of its own, so that one can't pass for another.

Keys name themselves: an owner and a node are the fingerprint of their public key,
a blob is the hash of its bytes, a result is the place in the envelope that signed
it. Only what the coordinator itself creates (tasks, assignments, …) is numbered.
"""

from typing import NewType

from blake3 import blake3

NetworkId = NewType("NetworkId", str)  # fingerprint of the network's key
OwnerId = NewType("OwnerId", str)  # fingerprint of the owner's key
NodeId = NewType("NodeId", str)  # fingerprint of the node's key
CampaignId = NewType("CampaignId", int)
StepId = NewType("StepId", int)
TaskId = NewType("TaskId", int)
AssignmentId = NewType("AssignmentId", int)
EarningId = NewType("EarningId", int)
EnvelopeId = NewType("EnvelopeId", str)  # blake3 of the envelope's exact payload, 64 hex digits
ResultId = NewType("ResultId", str)  # ENVELOPE.INDEX
BlobId = NewType("BlobId", str)  # blake3 of the bytes, 64 hex digits
RowId = NewType("RowId", str)  # 32 hex digits, see core.rows


def fingerprint(key: bytes) -> str:
    """Of a public key: the first 128 bits of its BLAKE3, 32 hex digits."""
    return blake3(key).hexdigest()[:32]


def blob_id(data: bytes) -> BlobId:
    return BlobId(blake3(data).hexdigest())


def result_id(envelope: EnvelopeId, index: int) -> ResultId:
    return ResultId(f"{envelope}.{index}")
