"""Fetching files, and parts of them, from buckets and web servers: the one place that knows fsspec and what is below.

fsspec has the connections, the loop that they run in, credentials and settings (`FSSPEC_S3_...`). What it offers above
is not used. Its reads do not tell which version of a file a part is of, and may take the beginning of a file for any
part of it where a server gives no parts; its caches on disk have no bound.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from spikesim.addresses import without_secrets
from spikesim.brief import shortened
from spikesim.errors import InputFileError, MissingExtraError
from spikesim_datasets.remote.url import FileVersion, Url

if TYPE_CHECKING:
    import aiohttp

_AT_ONCE = 16  # requests
_ATTEMPTS = 4
_FIRST_PAUSE = 0.3  # seconds, doubled each time
_CONNECT, _SILENCE = 10.0, 30.0  # seconds
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # what servers say that may say another thing a moment later
_NETWORK = {"ClientError", "HTTPClientError", "ConnectionError"}
_RANGE = re.compile(r"bytes (?P<first>\d+)-(?P<last>\d+)/(?P<size>\d+)")
_DENIED = (
    "credentials are those of other programs: for s3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws, or "
    "FSSPEC_S3_ANON=true for a public bucket; for https ~/.netrc or the address itself"
)
_MISSING = "check the address, and that all of the dataset was copied there, with its dataset.json"


class _TellError(Exception):
    """What is to be said of an address."""


class _PassingError(Exception):
    """What may be otherwise a moment later."""


_Answer = tuple[bytes, FileVersion]
_Ask = Callable[[int, int], Awaitable[_Answer]]


def version_at(url: Url) -> FileVersion:
    """The version of a file, told with its first byte: not all servers answer what asks for no bytes.

    Raises:
        InputFileError: It is missing or empty, cannot be reached, or the server does not give parts of files.
        MissingExtraError: fsspec or what it needs for this address is not installed.
    """
    with _told(url):
        fs = _filesystem(url)
        ask = _asker(fs, url)
        version: FileVersion = _run(fs, partial(_patient, lambda: ask(0, 1)))[1]
        return version


def fetch(url: Url, parts: Sequence[tuple[int, int]], version: FileVersion) -> list[bytes]:
    """Parts of a file, fetched several at once.

    Args:
        url: The file.
        parts: Start and stop of each in the file.
        version: That they are to be of.

    Raises:
        InputFileError, MissingExtraError: As for `version_at`; or the file has changed.
    """

    async def all_parts() -> list[bytes]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def part(start: int, stop: int) -> bytes:
            async with gate:
                data, found = await _patient(lambda: ask(start, stop))
            if found != version:
                raise _TellError(
                    f"it has changed since it was opened, from {_shown(version)} to {_shown(found)}; open the dataset "
                    "again"
                )
            return data

        return await asyncio.gather(*(part(*each) for each in parts))

    with _told(url):
        fs = _filesystem(url)
        ask = _asker(fs, url)
        return _run(fs, all_parts)


def fetch_whole(url: Url, most: int) -> bytes:
    """A small file.

    Args:
        url: The file.
        most: Bytes that it may have.

    Raises:
        InputFileError, MissingExtraError: As for `version_at`; or it is larger.
    """
    with _told(url):
        fs = _filesystem(url)
        whole = _s3_whole if url.is_s3 else _http_whole
        return _run(fs, partial(_patient, lambda: whole(fs, url, most)))


def _shown(version: FileVersion) -> str:
    return f"{version.size} bytes ({version.tag or 'without an ETag'})"


def _filesystem(url: Url) -> Any:
    """fsspec's file system of this process: it makes one for each, and a new one after a fork."""
    try:
        import aiohttp
        import fsspec

        if url.is_s3:
            timeouts = {"connect_timeout": _CONNECT, "read_timeout": _SILENCE, "retries": {"max_attempts": 0}}
            return fsspec.filesystem("s3", config_kwargs=timeouts)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=_SILENCE)
        # With the environment come proxies and ~/.netrc.
        return fsspec.filesystem("http", client_kwargs={"timeout": timeout, "trust_env": True})
    except ImportError as error:
        raise MissingExtraError(
            f"{url} is read through fsspec, aiohttp and for s3 s3fs, which are not all installed ({error}); "
            "pip install 'spikesim[remote]'"
        ) from error


def _asker(fs: Any, url: Url) -> _Ask:
    return partial(_s3_part if url.is_s3 else _http_part, fs, url)


def _run(fs: Any, work: Callable[[], Awaitable[Any]]) -> Any:
    """What a coroutine gives, which runs in fsspec's own thread."""
    from fsspec.asyn import sync

    return sync(fs.loop, work)


async def _patient(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask again after what may pass."""
    for attempt in range(_ATTEMPTS):
        try:
            return await ask()
        except Exception as error:
            if attempt == _ATTEMPTS - 1 or not _may_pass(error):
                raise
        await asyncio.sleep(_FIRST_PAUSE * 2**attempt)
    raise AssertionError


def _may_pass(error: Exception) -> bool:
    """Whether it is of the network, as aiohttp, botocore and the system call that."""
    known = isinstance(error, _PassingError | TimeoutError | asyncio.IncompleteReadError)
    return known or not _NETWORK.isdisjoint(kind.__name__ for kind in type(error).__mro__)


# The web


async def _http_part(fs: Any, url: Url, start: int, stop: int) -> _Answer:
    async with await _http_get(fs, url, {"Range": f"bytes={start}-{stop - 1}"}) as response:
        if response.status == 416:
            raise _TellError(_too_short(start))
        _check_status(response)
        if response.status != 206:
            raise _TellError(
                "the server gives whole files only, and no parts (it knows no Range requests); copy the dataset to "
                "this machine, or to a server that gives parts"
            )
        told = response.headers.get("Content-Range", "")
        return await _received(response.content.readexactly, told, start, stop, _http_tag(response.headers))


async def _http_whole(fs: Any, url: Url, most: int) -> bytes:
    async with await _http_get(fs, url, {}) as response:
        _check_status(response)
        data = b""
        async for part in response.content.iter_chunked(1 << 20):
            data += part
            if len(data) > most:
                _refuse_large(most)
        return data


async def _http_get(fs: Any, url: Url, headers: Mapping[str, str]) -> "aiohttp.ClientResponse":
    session = await fs.set_session()
    response: aiohttp.ClientResponse = await session.get(
        fs.encode_url(url.address), headers={"Accept-Encoding": "identity", **headers}
    )
    return response


def _check_status(response: "aiohttp.ClientResponse") -> None:
    told = f"the server says {response.status} {response.reason}"
    if response.status in _PASSING:
        raise _PassingError(told)
    if response.status in (404, 410):
        raise _TellError(f"there is nothing at this address ({told}); {_MISSING}")
    if response.status in (401, 403, 407):
        raise _TellError(f"{told}; {_DENIED}")
    if not 200 <= response.status < 300:
        raise _TellError(told)


def _http_tag(headers: Mapping[str, str]) -> str:
    return headers.get("ETag") or headers.get("Last-Modified") or ""


# Buckets


async def _s3_part(fs: Any, url: Url, start: int, stop: int) -> _Answer:
    answer = await _s3_get(fs, url, Range=f"bytes={start}-{stop - 1}")
    async with answer["Body"] as body:
        read = partial(_read_exactly, body)
        return await _received(read, answer.get("ContentRange", ""), start, stop, answer.get("ETag", ""))


async def _s3_whole(fs: Any, url: Url, most: int) -> bytes:
    answer = await _s3_get(fs, url)
    async with answer["Body"] as body:
        if answer["ContentLength"] > most:
            _refuse_large(most)
        return await _read_exactly(body, answer["ContentLength"])


async def _s3_get(fs: Any, url: Url, **options: str) -> Any:
    from botocore.exceptions import ClientError

    bucket, key = url.bucket_and_key
    await fs.set_session()
    client = await fs.get_s3(bucket)
    try:
        return await client.get_object(Bucket=bucket, Key=key, **options)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code, said = (str(error.response.get("Error", {}).get(name, "")) for name in ("Code", "Message"))
        told = f"the server says {status} {code}: {said}"
        if status in _PASSING:
            raise _PassingError(told) from error
        if status == 416:
            raise _TellError(_too_short(0)) from error
        if status == 404:
            what = "bucket" if code == "NoSuchBucket" else "file"
            raise _TellError(f"there is no such {what} ({told}); {_MISSING}") from error
        raise _TellError(f"{told}; {_DENIED}" if status in (400, 401, 403) else told) from error


async def _read_exactly(body: Any, length: int) -> bytes:
    data: bytes = await body.read(length)
    while len(data) < length:
        if not (more := await body.read(length - len(data))):
            raise asyncio.IncompleteReadError(data, length)
        data += more
    return data


# Both


async def _received(read: Callable[[int], Awaitable[bytes]], told: str, start: int, stop: int, tag: str) -> _Answer:
    """What a server gives of the part that it says to give.

    Args:
        read: Reads so many bytes.
        told: `Content-Range` of the answer.
        start, stop: What was asked for.
        tag: Of the file.
    """
    match = _RANGE.fullmatch(told)
    if match is None or len(match["size"]) > 18:
        raise _TellError(f"the server does not say which part of how much it gives, but {shortened(told)!r}")
    size = int(match["size"])
    if (int(match["first"]), int(match["last"]) + 1) != (start, min(stop, size)):
        raise _TellError(f"the server gives {shortened(told)!r} in place of the bytes {start}-{stop - 1}")
    return await read(min(stop, size) - start), FileVersion(size, tag)


def _too_short(start: int) -> str:
    return f"it ends before byte {start}" if start else "it is empty"


def _refuse_large(most: int) -> NoReturn:
    raise _TellError(f"it has more than {most} bytes, more than any description")


@contextmanager
def _told(url: Url) -> Iterator[None]:
    """Turns what fetching raises into one line that names the address."""
    try:
        yield
    except (InputFileError, MissingExtraError):
        raise
    except (_TellError, _PassingError) as error:
        raise InputFileError(f"cannot read {url}: {error}") from error
    except asyncio.IncompleteReadError as error:
        raise InputFileError(
            f"cannot read {url}: the connection ended after {len(error.partial)} of {error.expected} bytes, "
            f"{_ATTEMPTS} times; try again"
        ) from error
    except Exception as error:  # of aiohttp, of botocore, of the system; each has families of its own
        raise InputFileError(f"cannot read {url}: {_problem(error)}") from error


def _problem(error: Exception) -> str:
    name, said = type(error).__name__, shortened(without_secrets(str(error)))
    if "Credential" in name:
        return f"{error}; {_DENIED}"
    if isinstance(error, TimeoutError) or "Timeout" in name:
        return f"no answer within {_CONNECT:g} s to connect or {_SILENCE:g} s of silence; try again later"
    if "Connect" in name or "Endpoint" in name or "Server" in name:
        return f"the server cannot be reached ({said}); check the address and the network"
    return f"{name}: {said}"
