"""What tests of remote reading share: a web server that can be told to misbehave, and a bucket."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest


@dataclass
class WebServer:
    """A folder on a web server.

    Attributes:
        folder: What it serves.
        address: Where.
        ranges: Whether it gives parts of files.
        tags: Whether it says which state a file is in.
        fault: Called with the number of a request; what it returns is answered instead, as a status or, if negative, by
            ending the connection before so many bytes of the end; None answers.
        delay: Seconds before every answer.
        asked: Path, range and bytes of every request.
    """

    folder: Path
    address: str = ""
    ranges: bool = True
    tags: bool = True
    fault: Callable[[int], int | None] = lambda number: None
    delay: float = 0
    asked: list[tuple[str, tuple[int, int] | None, int]] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Bytes of all answers."""
        return sum(sent for _, _, sent in self.asked)


@contextmanager
def serving(folder: Path) -> Iterator[WebServer]:
    """Serves a folder while the `with` block runs."""
    web = WebServer(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            place = unquote(urlsplit(self.path).path)
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            part = (int(wanted[1]), int(wanted[2]) + 1) if wanted else None
            number = len(web.asked)
            web.asked.append((place, part, 0))
            fault = web.fault(number)
            time.sleep(web.delay)
            path = web.folder / place.lstrip("/")
            if fault is not None and fault > 0:
                self.answer(fault, b"")
            elif not path.is_file():
                self.answer(404, b"")
            else:
                state = path.stat()
                start, stop = 0, state.st_size
                headers = {"ETag": f'"{state.st_mtime_ns:x}"', "Last-Modified": formatdate(state.st_mtime)}
                headers = headers if web.tags else {}
                status = 200
                if part is not None and web.ranges:
                    start, stop = part[0], min(part[1], state.st_size)
                    if start >= stop:
                        self.answer(416, b"")
                        return
                    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{state.st_size}"
                    status = 206
                with path.open("rb") as file:
                    file.seek(start)
                    data = file.read(stop - start)
                web.asked[number] = (place, part, len(data))
                self.answer(status, data, headers, cut=-fault if fault else 0)

        def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None, cut: int = 0) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) - cut])
            self.close_connection = bool(cut)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def bucket_server() -> Iterator[None]:
    """A server of S3 buckets while the `with` block runs; variables tell programs where it is, and credentials."""
    from fsspec import get_filesystem_class
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        try:
            yield
        finally:
            get_filesystem_class("s3").clear_instance_cache()  # the next server is somewhere else
            server.stop()


def upload(folder: Path, place: str) -> str:
    """Copies a folder into a bucket, and returns its address."""
    import fsspec

    fs = fsspec.filesystem("s3")
    fs.makedirs(place.partition("/")[0], exist_ok=True)
    for path in folder.rglob("*.*"):
        if path.is_file():
            fs.pipe(f"{place}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"s3://{place}"
