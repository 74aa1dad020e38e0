"""The server on loopback: requests of others, uploads of all kinds, jobs, and many clients."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
from PIL import Image
from toy_studio import InstantRunner, Served

from triptych.errors import UserError
from triptych.studio.gallery import PortraitRecord
from triptych.studio.server import free_socket
from triptych.studio.studio import Studio
from triptych.studio.worker_process import WorkerProcess
from triptych.weights.registry import MODELS

pytest.importorskip("uvicorn", reason="no studio: pip install 'triptych[studio]'")
pytest.importorskip("fastapi", reason="no studio: pip install 'triptych[studio]'")

PORTRAIT, ABSENT = "20260101-000000-00000000", "20260101-000000-00000001"
CLIENTS, EACH = 50, 2


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("served") / "studio", InstantRunner())
    folder = running.studio.workplace.portrait(PORTRAIT)
    folder.mkdir()
    (folder / "portrait.safetensors").write_bytes(b"planes")
    (folder / "page.html").write_text("<p>a portrait</p>")
    (folder / "thumbnail.jpg").write_bytes(b"small")
    record = PortraitRecord(title="<b>a head</b>", kind="make", created="now")
    running.studio.gallery.add(PORTRAIT, record)
    yield running
    running.close()


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((size[1], size[0], 3), 99, np.uint8)).save(file, kind)
    return file.getvalue()


def uploads(served: Served) -> set[str]:
    return {path.name for path in (served.studio.workplace.folder / ".studio/uploads").iterdir()}


def test_the_page_comes_with_a_policy_and_all_that_it_names(served):
    status, headers, page = served.ask("GET", "/")
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert b"http://" not in page
    assert b"https://" not in page
    script = served.ask("GET", "/page/main.js")[2].decode()
    for name in ("studio.css", "reference.js", *re.findall(r'from "/page/(\S+)"', script)):
        assert served.ask("GET", f"/page/{name}")[0] == 200
    assert served.ask("GET", "/api")[0] == 200


def test_the_api_describes_itself(served):
    _, _, description = served.ask("GET", "/api/openapi.json")
    assert description["info"]["title"] == "Triptych studio"
    assert {"/api/style", "/api/jobs/{job}/cancel", "/api/photos"} <= set(description["paths"])
    status = served.ask("GET", "/api/status")[2]
    assert "bronze" in status["words"]
    assert status["tabs"]["make"]
    assert {"page", "glb", "video"} <= set(status["formats"])


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py",
        "/page/%2e%2e%2fserver.py",
        "/page/..%5cserver.py",
        "/api/portraits/..%2f..%2fetc%2fpasswd/file",
        f"/api/portraits/{PORTRAIT}%2f../file",
        f"/api/portraits/{PORTRAIT}%00/file",
        f"/api/portraits/{ABSENT}/file",
        f"/api/photos/{ABSENT}",
        "/api/exports/../../x",
        "/api/heads/..%2f0",
        "/api/heads/-1",
    ],
)
def test_no_name_leads_out_of_the_gallery(served, path):
    status, _, found = served.ask("GET", path)
    assert status in (404, 422)
    assert b"passwd" not in found if isinstance(found, bytes) else found


def test_a_portrait_is_served_in_a_sandbox(served):
    status, headers, page = served.ask("GET", f"/api/portraits/{PORTRAIT}/page")
    assert (status, page) == (200, b"<p>a portrait</p>")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in headers["content-security-policy"]
    _, headers, content = served.ask("GET", f"/api/portraits/{PORTRAIT}/file")
    assert content == b"planes"
    assert 'filename="portrait.safetensors"' in headers["content-disposition"]
    (entry,) = served.ask("GET", "/api/portraits")[2]
    assert entry["title"] == "<b>a head</b>"
    assert served.ask("GET", f"/api/portraits/{PORTRAIT}")[2] == entry
    assert served.ask("GET", f"/api/portraits/{ABSENT}")[0] == 404


def test_heads_that_are_drawn_need_no_job(served):
    for seed in (3, 5):
        served.studio.workplace.head(seed).write_bytes(b"small")
    assert served.ask("GET", "/api/heads?first=2&count=4")[::2] == (200, [3, 5])
    assert served.ask("GET", "/api/heads?first=2&count=99999")[0] == 422


def test_pages_of_other_sites_are_turned_away(served):
    body = {"seed": 1}
    assert served.ask("POST", "/api/make", body, origin="http://evil.example")[0] == 403
    assert served.ask("POST", "/api/make", body, host="evil.example")[0] == 421
    assert served.ask("GET", "/api/portraits", host="evil.example:7860")[0] == 421
    plain = {"content-type": "text/plain"}  # what a form of another site can send unasked
    assert served.ask("POST", "/api/make", b'{"seed": 1}', **plain)[0] == 415
    for broken in ("[", "[::1", "127.0.0.1@evil.example"):
        assert served.ask("POST", "/api/make", body, host=broken)[0] == 421
        assert served.ask("POST", "/api/make", body, origin=f"http://{broken}")[0] == 403
    own = f"http://127.0.0.1:{served.port}"
    assert served.ask("POST", "/api/make", body, origin=own)[0] == 202


def test_photos_are_kept_as_clean_pixels(served):
    hidden = picture() + b"<script>alert(1)</script>PK\x03\x04"
    status, taken = served.upload(hidden, "image/jpeg")
    assert (status, taken["width"], taken["height"]) == (201, 64, 48)
    status, headers, kept = served.ask("GET", f"/api/photos/{taken['id']}")
    assert headers["content-type"] == "image/png"
    assert b"script" not in kept
    assert np.asarray(Image.open(io.BytesIO(kept))).tolist() == np.full((48, 64, 3), 99).tolist()


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "no picture that is taken"),
        (b"", 415, "no picture"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 500, 415, "the file"),
        (picture()[:60], 415, "the file"),
        (picture(size=(8, 8)), 415, "too small"),
        (b"GIF89a" + b"x" * 50, 415, "JPEG, PNG"),
    ],
)
def test_what_is_no_picture_is_refused_and_not_kept(served, content, status, words):
    before = uploads(served)
    got, answer = served.upload(content)
    assert got == status
    assert words in answer["error"]
    assert str(served.studio.workplace.folder) not in answer["error"]
    assert uploads(served) == before


@pytest.fixture
def hasty(tmp_path) -> Iterator[Served]:
    """A studio that waits for no body longer than a second."""
    running = Served(tmp_path / "studio", InstantRunner(), body_s=1.0)
    yield running
    running.close()


def test_oversized_and_slow_uploads_are_cut_off(hasty):
    before = uploads(hasty)
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=30) as line:
        head = "POST /api/photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        line.sendall(f"{head}Content-Length: {1 << 40}\r\n\r\n".encode())
        assert b" 413 " in line.recv(1000)
    slow = f"{head}Content-Length: 1000\r\n\r\n".encode() + picture()[:30]
    slow_json = b"POST /api/make HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    lines = [socket.create_connection(("127.0.0.1", hasty.port), timeout=30) for _ in range(3)]
    chunked = slow_json + b"Transfer-Encoding: chunked\r\n\r\n20000\r\n" + b"x" * 0x20000
    for line, sent in zip(
        lines, (slow, slow_json + b"Content-Length: 9\r\n\r\n{", chunked), strict=True
    ):
        line.sendall(sent)
    for line, status in zip(lines, (b" 408 ", b" 408 ", b" 413 "), strict=True):
        assert status in line.recv(1000)
        line.close()
    assert hasty.ask("POST", "/api/make", {"seed": 1, "x": "y" * 100_000})[0] == 413
    assert uploads(hasty) == before


def test_a_full_disk_is_said(served, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("triptych.studio.uploads.open", full, raising=False)
    status, answer = served.upload(picture())
    assert (status, answer["error"]) == (507, "No space left on device; is the disk full?")
    monkeypatch.undo()
    assert served.upload(picture())[0] == 201


def test_only_the_newest_files_beside_the_gallery_are_kept(served):
    place = served.studio.workplace
    for number in range(45):
        place.export(f"20260101-000000-{number:08x}").touch()
    place.prune()
    assert not place.export("20260101-000000-00000004").exists()
    assert place.export("20260101-000000-00000005").exists()
    (place.export(ABSENT).parent / ".packing-x").mkdir()
    assert [path.name for path in place.leftovers()] == [".packing-x"]


def test_the_studio_ends_at_sigterm_as_at_ctrl_c(tmp_path, monkeypatch):
    from triptych.cli.studio import Studio as Verb

    def told(app, listening):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr("triptych.studio.server.serve", told)
    monkeypatch.setattr(
        "triptych.studio.studio.WorkerProcess", lambda *_: mock.Mock(spec=WorkerProcess)
    )
    before = [signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGHUP)]
    try:
        Verb(tmp_path / "studio", port=7970, no_browser=True).run()
    finally:
        for name, handler in zip((signal.SIGTERM, signal.SIGHUP), before, strict=True):
            signal.signal(name, handler)
    Studio(tmp_path / "studio", runner=InstantRunner()).close()  # nobody holds the folder


def test_a_picture_that_takes_too_long_ends_the_decoder_only(served, monkeypatch):
    assert served.upload(picture())[0] == 201
    os.kill(served.studio.uploads._decoder.process_id, signal.SIGSTOP)
    monkeypatch.setattr(served.studio.uploads, "_decoding_s", 0.2)
    status, answer = served.upload(picture())
    assert status == 415
    assert "to decode" in answer["error"]
    assert served.studio.uploads._decoder is None


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("make", {"seed": -1}, "seed"),
        ("make", {"seed": "x"}, "seed"),
        ("wall", {"count": 1000}, "from 1 to 48"),
        ("style", {"portrait": PORTRAIT, "prompt": " "}, "the prompt is empty"),
        ("style", {"portrait": "../..", "prompt": "a"}, "identifier"),
        ("style", {"portrait": ABSENT, "prompt": "a"}, "there is no portrait"),
        ("align", {"photo": ABSENT}, "no longer here"),
        ("export", {"portrait": PORTRAIT, "formats": ["exe"]}, "exe"),
        ("export", {"portrait": PORTRAIT, "formats": []}, "at least one"),
        ("style", {"portrait": PORTRAIT, "prompt": "a", "qualty": "high"}, "qualty: Unexpected"),
        ("style", {"portrait": PORTRAIT, "prompt": "\ud800"}, "no text"),
        ("nowhere", {}, "Not Found"),
        ("compose", {"seed": 1, "portrait": PORTRAIT}, "not both"),
        ("compose", {"seed": 1, "regions": ["hair=x"]}, "such as hair=7"),
        ("edit", {"portrait": PORTRAIT}, "a prompt or a picture"),
        ("edit", {"portrait": PORTRAIT, "prompt": "a", "strength": 2}, "strength"),
        ("wear", {"seed": 1, "picture": ABSENT, "geometry": 3}, "geometry"),
        ("style", b"[" * 9000, "parsing"),
    ],
)
def test_mistakes_are_answered_in_words(served, path, body, words):
    kind = {"content-type": "application/json"}
    status, _, answer = served.ask("POST", f"/api/{path}", body, **kind)
    assert status in (400, 404, 422)
    assert words in answer["error"]
    assert "\n" not in answer["error"]


def test_a_wish_whose_model_is_missing_is_refused(served, monkeypatch):
    absent = dataclasses.replace(MODELS["avatar-composer"], file="absent")
    monkeypatch.setitem(MODELS, "avatar-composer", absent)
    status, _, answer = served.ask("POST", "/api/compose", {"seed": 1})
    assert status == 422
    assert answer["error"] == "compose: its model, avatar-composer, is not on this machine"


def test_many_clients_lose_nothing(served):
    def client(number: int) -> list[str]:
        found = []
        for turn in range(EACH):
            status, _, job = served.ask("POST", "/api/make", {"seed": 100 * number + turn})
            assert status == 202
            found.append(job["id"])
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        names = [name for some in pool.map(client, range(CLIENTS)) for name in some]
    assert len(set(names)) == CLIENTS * EACH
    ends = time.monotonic() + 60
    while any(job["state"] in ("waiting", "running") for job in served.ask("GET", "/api/jobs")[2]):
        assert time.monotonic() < ends
        time.sleep(0.05)
    states = {served.ask("GET", f"/api/jobs/{name}")[2]["state"] for name in names}
    assert states == {"done"}


def test_a_taken_port_and_a_taken_folder_are_said(served):
    with free_socket("127.0.0.1", served.port) as beside:
        assert beside.getsockname()[1] > served.port
        socket.create_connection(beside.getsockname(), timeout=30).close()  # nobody is turned away
    with pytest.raises(UserError, match="another run is writing"):
        Studio(served.studio.workplace.folder, runner=InstantRunner())
    with pytest.raises(UserError, match="--host"):
        free_socket("203.0.113.1", 7860)
