"""The server on loopback: requests of others, uploads of all kinds, jobs, and many clients."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from toy_studio import InstantRunner, Served

from triptych.errors import UserError
from triptych.studio.gallery import PortraitRecord
from triptych.studio.server import free_socket
from triptych.studio.studio import Studio

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
    for name in ("main.js", "studio.css", "reference.js"):
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
    assert served.ask("GET", "/api/portraits")[2][0]["title"] == "<b>a head</b>"


def test_pages_of_other_sites_are_turned_away(served):
    body = {"seed": 1}
    assert served.ask("POST", "/api/make", body, origin="http://evil.example")[0] == 403
    assert served.ask("POST", "/api/make", body, host="evil.example")[0] == 421
    assert served.ask("GET", "/api/portraits", host="evil.example:7860")[0] == 421
    plain = {"content-type": "text/plain"}  # what a form of another site can send unasked
    assert served.ask("POST", "/api/make", b'{"seed": 1}', **plain)[0] == 415
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


def test_oversized_and_slow_uploads_are_cut_off(served):
    before = uploads(served)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        head = "POST /api/photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        line.sendall(f"{head}Content-Length: {1 << 40}\r\n\r\n".encode())
        assert b" 413 " in line.recv(1000)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode() + picture()[:30])
        assert b" 408 " in line.recv(1000)
    assert served.ask("POST", "/api/make", {"seed": 1, "x": "y" * 100_000})[0] == 413
    assert uploads(served) == before


def test_a_picture_that_takes_too_long_ends_the_decoder_only(served, monkeypatch):
    monkeypatch.setattr(served.studio.uploads, "_decoding_s", 0.0)
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
    ],
)
def test_mistakes_are_answered_in_words(served, path, body, words):
    status, _, answer = served.ask("POST", f"/api/{path}", body)
    assert status in (404, 422)
    assert words in answer["error"]
    assert "\n" not in answer["error"]


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
    with pytest.raises(UserError, match="another run is writing"):
        Studio(served.studio.workplace.folder, runner=InstantRunner())
    with pytest.raises(UserError, match="--host"):
        free_socket("203.0.113.1", 7860)
