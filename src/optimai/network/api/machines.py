"""What nodes call: who is this network, let me join, exchange, bytes by hash."""

import asyncio
from typing import Annotated, Any

import msgspec
import zstandard
from litestar import HttpMethod, Request, Response, get, post, put, route
from litestar.di import NamedDependency
from litestar.params import PathParameter

from optimai.core.errors import BadMessage, NoSuchRange, TooLarge, WrongBytes
from optimai.core.ids import BlobId, blob_id
from optimai.network import access, door
from optimai.network.api import ranges
from optimai.network.api.front import error
from optimai.network.store.sql import Database

MOST_BLOB = 64 << 20  # bytes of one blob
SMALL = 1 << 20  # a body that is not is read only for a token that is worth something
PACKED = 2048  # smaller answers are not worth compressing
Hash = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$", description="BLAKE3 of the plain bytes")]
JSON = "application/json"
Here = NamedDependency[Database]


@get("/network", media_type=JSON)
async def network(database: Here) -> Response[bytes]:
    """Who this network is, signed by its key: compare the key's fingerprint with your invite."""
    return Response(door.introduce(database), media_type=JSON)


@post("/enrol", media_type=JSON, status_code=200)
async def nodes(request: Request[Any, Any, Any], database: Here) -> Response[bytes]:
    """Join. The body is an envelope signed by the node's key and its owner's."""
    enrolled = await door.enrol(database, await body(request, 1 << 16))
    return Response(msgspec.json.encode(enrolled), media_type=JSON)


@route("/exchange", http_method=list(HttpMethod), include_in_schema=False)
async def exchange() -> None:
    """What `front` left over."""
    raise BadMessage("an exchange is a POST, and the next one on its connection waits for its answer")


@put("/blobs/{blob:str}", status_code=204)
async def put_blob(request: Request[Any, Any, Any], database: Here, blob: Hash) -> None:
    """Bring bytes for an assignment whose lease runs; before the result that names them."""
    assignment = database.network.token_owner(access.bearer_of(request.headers))
    if not _small(request.headers.get("content-length", "")):
        async with database.begin() as (tx, _):
            await access.writer(tx, assignment, BlobId(blob))
    packed = await body(request, MOST_BLOB)
    data = await asyncio.to_thread(_plain, request.headers.get("content-encoding", ""), packed, BlobId(blob))
    async with database.begin() as (tx, now):
        await access.bring(tx, assignment, data, now)


def _small(length: str) -> bool:
    return length.isdecimal() and len(length) <= len(str(SMALL)) and int(length) <= SMALL


def _plain(encoding: str, packed: bytes, blob: BlobId) -> bytes:
    data = unpacked(encoding, packed)
    if blob_id(data) != blob:
        raise WrongBytes(blob)
    return data


@get("/blobs/{blob:str}", media_type="application/octet-stream")
async def get_blob(request: Request[Any, Any, Any], database: Here, blob: Hash) -> Response[bytes]:
    """Bytes of the campaign that the token belongs to; `Range` counts plain bytes."""
    async with database.begin() as (tx, _):
        await access.reader(tx, access.bearer_of(request.headers), BlobId(blob))
    if asked := request.headers.get("range", "") if "if-range" not in request.headers else "":
        size = await database.blobs.size(BlobId(blob)) or 0
        try:
            places = ranges.wanted(asked, size)
        except NoSuchRange as fault:
            said = msgspec.json.encode(error(fault))
            headers = {"content-range": f"bytes */{size}"}
            return Response(said, status_code=fault.status, headers=headers, media_type=JSON)
        if places:
            part = await database.blobs.get(BlobId(blob), places.start, len(places))
            headers = {"content-range": f"bytes {places.start}-{places.stop - 1}/{size}"}
            return Response(part, status_code=206, headers=headers, media_type="application/octet-stream")
    data = await database.blobs.get(BlobId(blob))
    headers = {
        "vary": "accept-encoding",
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=31536000, immutable",
    }
    if "zstd" in request.headers.get("accept-encoding", "") and len(data) > PACKED and data[:4] != b"PAR1":
        data = await asyncio.to_thread(zstandard.ZstdCompressor(level=3).compress, data)
        headers["content-encoding"] = "zstd"
    return Response(data, headers=headers, media_type="application/octet-stream")


async def body(request: Request[Any, Any, Any], most: int) -> bytes:
    """The request's body, refused as soon as it is longer than `most`."""
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge("The body", most)
        parts.append(part)
    return b"".join(parts)


def unpacked(encoding: str, data: bytes) -> bytes:
    if encoding in ("", "identity"):
        return data
    if encoding != "zstd":
        raise BadMessage(f"content-encoding {encoding!r} is not known here")
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            plain = reader.read(MOST_BLOB + 1)
    except zstandard.ZstdError as fault:
        raise BadMessage(f"its zstd is broken ({fault})") from None
    if len(plain) > MOST_BLOB:
        raise TooLarge("The unpacked body", MOST_BLOB)
    return plain
