"""What `hybridode watch` serves, and to whom."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from hybridode.commands.output import Output
from hybridode.commands.watch import Watched, handler, watch
from hybridode.errors import DataError
from hybridode.fit.checkpoint import Checkpoint
from hybridode.report.run_directory import write_run
from hybridode.report.watch import moment, trace_after
from tests.report.browser import Browser, find_browser, looked
from tests.report.fake import fitted_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = fitted_run()
    run.result["parameters"] = {"alpha": {"value": 0.5}}
    run.result["objective"]["value"] = 131.5
    run.result["settings"] = {"used": {}}
    for start in run.result["starts"]:
        start["iterations"] = 30
    return write_run(run, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def server(finished: Path) -> Iterator[tuple[Watched, int]]:
    watched = Watched(finished)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(watched)) as served:
        served.daemon_threads = True
        threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield watched, served.server_port
        served.shutdown()


def get(port: int, path: str, host: str | None = None) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


def test_only_this_machine_and_who_knows_the_address_is_answered(server: tuple[Watched, int]) -> None:
    watched, port = server
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", ""):
        assert get(port, f"/{watched.secret}/state", host)[0] == 403
    for path in ("/", "/state", f"/{watched.secret}", f"/{watched.secret}/../result.json", f"/{watched.secret}/result.json",
                 "//etc/passwd", f"/{watched.secret}/%2e%2e/%2e%2e/etc/passwd"):  # fmt: skip
        assert get(port, path)[0] == 404, path
    assert get(port, f"/{watched.secret}/", f"localhost:{port}")[0] == 200


def test_the_page_asks_nobody_else(server: tuple[Watched, int]) -> None:
    watched, port = server
    status, page, headers = get(port, f"/{watched.secret}/")
    assert status == 200 and "{{" not in page
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert page.count(f'nonce="{watched.nonce}"') == 3, "style, charts, page"


def test_a_finished_run_is_shown_whole(server: tuple[Watched, int], finished: Path) -> None:
    watched, port = server
    state = json.loads(get(port, f"/{watched.secret}/state?from=0")[1])
    assert (state["status"], state["over"], state["best"]["objective"]) == ("converged", True, 131.5)
    assert state["best"]["parameters"] == {"alpha": 0.5}
    panels = {p["column"]: p for p in state["best"]["panels"]}
    assert set(panels) == {"hare", "lynx"}
    assert len(panels["hare"]["observed"]) == 21 and len(panels["hare"]["t"]) == 201
    trace = pd.read_csv(finished / "trace.csv")
    assert [r[0] for r in state["trace"]["rows"]] == list(trace["start"])
    assert [r[1] for r in state["trace"]["rows"]] == list(trace["objective"])
    assert [r[3] for r in state["trace"]["rows"]] == list(trace["stage"])
    rest = json.loads(get(port, f"/{watched.secret}/state?from={state['trace']['offset']}")[1])
    assert rest["trace"]["rows"] == []
    assert watched.seen_over is not None


def test_a_growing_trace_is_read_by_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("start,stage,iteration,objective,gradient_norm,seconds\n1,a, b,1,2.5,0.1,0.5\n1,a,2,2.")
    first = trace_after(tmp_path, 0)
    assert first["rows"] == [[1, 2.5, 0.5, "a, b"]]
    with open(path, "a") as file:
        file.write("25,0.1,0.75\n2,a,1,,,0.8\n")
    assert trace_after(tmp_path, first["offset"])["rows"] == [[1, 2.25, 0.75, "a"], [2, None, 0.8, "a"]]
    path.write_text("start,stage,iteration,objective,gradient_norm,seconds\n")  # a resumed run writes it anew
    assert trace_after(tmp_path, 500)["again"] is True


@pytest.mark.skipif(os.name == "nt", reason="no such locks there")
def test_running_cut_off_and_no_run_at_all_are_told_apart(tmp_path: Path, finished: Path) -> None:
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.open()
    checkpoint.write({}, 1.0)
    assert moment(tmp_path).state["status"] == "preparing"
    (tmp_path / "live.json").write_text('{"rows": [{"start": 1}], "elapsed": 3.0}')
    assert (moment(tmp_path).state["status"], moment(tmp_path).over) == ("running", False)
    checkpoint.close()
    found = moment(tmp_path)
    assert (found.state["status"], found.over) == ("cut off", True)
    assert "--resume" in found.state["reason"]
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    with pytest.raises(DataError, match="no run"):
        watch(str(nothing), 0, False, Output(quiet=True))


def test_watching_ends_with_the_run(tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.open()
    checkpoint.write({}, 1.0)
    monkeypatch.setattr("hybridode.commands.watch.AFTER_END", 0.3)
    thread = threading.Thread(target=watch, args=(str(tmp_path), 0, False, Output(quiet=True)))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    shutil.copy(finished / "result.json", tmp_path)
    checkpoint.remove()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.skipif(find_browser() is None, reason="no Chromium here: the page was not looked at")
@pytest.mark.parametrize("width", [360, 1440])
def test_the_page_stands_in_a_browser(server: tuple[Watched, int], width: int) -> None:
    """The same style and charts as the report's, from the same files."""
    watched, port = server
    address = f"http://127.0.0.1:{port}/{watched.secret}/"
    with Browser(str(find_browser())) as browser:
        browser.look(address, width, dark=width == 360)
        browser.wait("document.querySelectorAll('#panels path.line').length === 2")
        assert browser.complaints == []
        assert all(url.startswith(f"http://127.0.0.1:{port}/") for url in browser.requests)
        assert browser.run("document.documentElement.scrollWidth") == width
        assert browser.run("document.querySelectorAll('#objective path.line').length") == 1
        assert browser.run("document.querySelectorAll('#panels text.tick').length") > 8
        assert looked(browser, "contrast") == []
