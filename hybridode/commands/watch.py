"""`hybridode watch`: a page in the browser that shows a fit while it runs. Served to this machine only."""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from hybridode.commands.output import Output, plain
from hybridode.fit.checkpoint import in_work
from hybridode.report.page import TEMPLATES, whole_style
from hybridode.report.watch import check_directory, moment, trace_after

LOOPBACK = "127.0.0.1"
AFTER_SEEN = 3.0  # seconds for which the server stays after a page has got the end of a run
AFTER_END = 15.0  # and when no page ever asks


@dataclass
class Watched:
    """A run and who looks at it. `secret` is part of every address: other users of the machine cannot guess it."""

    directory: Path
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    seen_over: float | None = None  # when a page got the end of the run

    def answer(self, path: str, query: str) -> tuple[str, bytes] | None:
        """(content type, body) of an address; None where there is nothing."""
        if path == f"/{self.secret}/":
            pieces = {"style": whole_style(), "chart": (TEMPLATES / "chart.js").read_text(encoding="utf-8"), "nonce": self.nonce,
                      "run": _escaped(str(self.directory)), "name": _escaped(self.directory.resolve().name)}  # fmt: skip
            text = (TEMPLATES / "watch.html").read_text(encoding="utf-8")
            for name, piece in pieces.items():
                text = text.replace(f"{{{{{name}}}}}", piece)
            return "text/html; charset=utf-8", text.encode()
        if path == f"/{self.secret}/state":
            now = moment(self.directory)
            offset = parse_qs(query).get("from", ["0"])[0]
            trace = trace_after(self.directory, int(offset) if offset.isdecimal() else 0)
            if now.over and not trace["more"]:
                self.seen_over = time.monotonic()
            body = {**now.state, "over": now.over, "trace": trace}
            return "application/json", json.dumps(plain(body), ensure_ascii=False, allow_nan=False).encode()
        return None


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def handler(watched: Watched) -> type[BaseHTTPRequestHandler]:
    """Answers GET requests that come from this machine and name it as such: a page of another origin whose name was bent to
    this address (DNS rebinding) names its own host and is refused."""

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "hybridode", ""

        def do_GET(self) -> None:
            port = cast(ThreadingHTTPServer, self.server).server_port
            if self.headers.get("Host") not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
                return self._send(HTTPStatus.FORBIDDEN, "text/plain", b"only for this machine")
            parts = urlsplit(self.path)
            found = watched.answer(parts.path, parts.query)
            if found is None:
                return self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not here")
            return self._send(HTTPStatus.OK, *found)

        def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            policy = (
                f"default-src 'none'; style-src 'nonce-{watched.nonce}'; script-src 'nonce-{watched.nonce}'; connect-src 'self'"
            )
            self.send_response(status)
            for name, value in {
                "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store",
                "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
            }.items():  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except ConnectionError:  # the page was closed meanwhile
                return

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the terminal belongs to the user."""

    return Handler


def watch(run: str, port: int, open_browser: bool, output: Output, now: Callable[[], float] = time.monotonic) -> int:
    """Serves the page until the run ends; of a run that has ended already, until Ctrl-C. Raises DataError E0807."""
    directory = Path(run)
    check_directory(directory)
    watched = Watched(directory)
    finished = moment(directory).over
    with ThreadingHTTPServer((LOOPBACK, port), handler(watched)) as server:
        server.daemon_threads = True
        address = f"http://{LOOPBACK}:{server.server_port}/{watched.secret}/"
        output.data({"ok": True, "url": address})
        output.result(f"{address}\nCtrl-C ends it" + ("" if finished else "; it ends with the run"))
        sys.stdout.flush()  # where that is a file or a pipe, nobody would see the address before the end
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        if open_browser:
            import webbrowser

            webbrowser.open(address)
        try:
            _until_over(watched, finished, now)
        except KeyboardInterrupt:
            pass
        finally:
            server.shutdown()
    return 0


def _until_over(watched: Watched, finished: bool, now: Callable[[], float]) -> None:
    """Returns when the run has ended and whoever watches has seen it."""
    ended: float | None = None
    while True:
        time.sleep(0.2)
        if finished:
            continue
        if in_work(watched.directory):
            ended = watched.seen_over = None
            continue
        ended = now() if ended is None else ended
        seen = watched.seen_over
        if now() - ended > AFTER_END or (seen is not None and now() - ended > AFTER_SEEN):
            return
