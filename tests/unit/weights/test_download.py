"""Downloads from a server with every bad habit: the file is whole and right, or there is none."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.error
from dataclasses import replace

import pytest
from file_server import (
    FileServer,
    another_part,
    breaking_off,
    chunked,
    claiming,
    endless,
    glueing,
    honest,
    ignoring_ranges,
    redirect,
    serving,
    stalling,
    status,
)

from triptych.errors import UserError
from triptych.weights import download as module
from triptych.weights.download import DownloadError, RetryPolicy, download
from triptych.weights.http_reply import PermanentError, request
from triptych.weights.published import PublishedFile

CONTENT = b"\x80\x04" + bytes(range(256)) * 1200 + b"."
OTHER = b"\x80\x04" + bytes(reversed(range(256))) * 1200 + b"."
SHORT = 1000
QUICK = RetryPolicy(timeout_s=0.4, attempts=3, pause_s=0.0)
PARTIAL = ".model.pkl.partial"


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    running = FileServer()
    running.content = CONTENT
    yield running
    running.close()


@pytest.fixture
def published(server) -> PublishedFile:
    """The file with all that a public page may state."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    return PublishedFile("model.pkl", (server.address(),), len(CONTENT), digest, "a page")


@pytest.fixture
def unstated(published) -> PublishedFile:
    """The same file where no page states its length and hash."""
    return replace(published, num_bytes=0, sha256="", stated_by="")


def fetch(published, folder):
    return download(published, folder, retries=QUICK)


def is_whole(folder) -> bool:
    assert sorted(os.listdir(folder)) == ["model.pkl"]
    return (folder / "model.pkl").read_bytes() == CONTENT


def test_a_file_arrives_with_progress(server, published, tmp_path):
    calls = []
    folder = tmp_path / "new" / "folder"
    done = download(published, folder, progress=lambda *now: calls.append(now), retries=QUICK)
    assert is_whole(folder)
    assert done.path == folder / "model.pkl"
    assert (done.sha256, done.checked) == (published.sha256, True)
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert [now for now, _ in calls] == sorted({now for now, _ in calls})
    assert server.requests[0][1]["accept-encoding"] == "identity"


def test_a_file_that_is_here_is_not_fetched_again(server, published, tmp_path):
    fetch(published, tmp_path)
    assert fetch(published, tmp_path).checked
    assert len(server.requests) == 1


@pytest.mark.parametrize(("content", "said"), [(OTHER, "SHA-256"), (b"\x80.", "2 bytes")])
def test_another_file_of_that_name_is_left_alone(server, published, tmp_path, content, said):
    (tmp_path / "model.pkl").write_bytes(content)
    with pytest.raises(UserError, match=f"not the published file: got {said}"):
        fetch(published, tmp_path)
    assert (tmp_path / "model.pkl").read_bytes() == content
    assert server.requests == []


def test_without_a_stated_hash_the_result_says_so(unstated, tmp_path):
    done = fetch(unstated, tmp_path)
    assert is_whole(tmp_path)
    assert not done.checked
    assert done.sha256 == hashlib.sha256(CONTENT).hexdigest()


# --- connections that break


def test_a_broken_transfer_goes_on_where_it_stopped(server, published, tmp_path):
    server.habits = [breaking_off(SHORT), breaking_off(SHORT), honest()]
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.ranges == ["", f"bytes={SHORT}-", f"bytes={2 * SHORT}-"]
    assert server.requests[1][1]["if-range"] == server.tag


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, published, tmp_path):
    server.habits = [breaking_off(SHORT)] + [breaking_off(0)] * 2
    with pytest.raises(DownloadError, match=f"{SHORT} bytes are kept: the same command"):
        fetch(published, tmp_path)
    assert sorted(os.listdir(tmp_path)) == [PARTIAL, f"{PARTIAL}.json"]
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.ranges[-1] == f"bytes={SHORT}-"


def test_a_transfer_killed_before_it_was_published_is_only_checked(server, published, tmp_path):
    notes = {"address": server.address(), "validator": server.tag, "total": len(CONTENT)}
    (tmp_path / PARTIAL).write_bytes(CONTENT)
    (tmp_path / f"{PARTIAL}.json").write_text(json.dumps(notes))
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.requests == []


def test_without_a_name_for_the_version_it_begins_anew(server, published, tmp_path):
    server.habits = [breaking_off(SHORT, tag=False)]
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.ranges == ["", ""]


def test_useless_bytes_are_not_kept(server, published, tmp_path):
    server.habits = [breaking_off(SHORT, tag=False)] * 3
    with pytest.raises(DownloadError, match="try again later"):
        fetch(published, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_weak_tag_is_no_name_but_a_date_is(server, published, tmp_path):
    date = "Tue, 04 Apr 2023 10:00:00 GMT"
    weak = serving(CONTENT, ETag='W/"x"', Last_Modified=date)
    with request_once(server, weak) as reply:
        assert reply.validator == date
    with request_once(server, serving(CONTENT, ETag='W/"x"')) as reply:
        assert reply.validator == ""


def request_once(server, habit):
    server.habits = [habit]
    return request(server.address(), 0, "", 1.0)


def test_a_silent_server_is_not_waited_for(server, published, tmp_path):
    released = threading.Event()
    server.habits = [stalling(SHORT, released)]
    fetch(published, tmp_path)
    released.set()
    assert is_whole(tmp_path)
    assert server.ranges == ["", f"bytes={SHORT}-"]


def test_a_server_that_is_always_silent_is_given_up(server, published, tmp_path):
    released = threading.Event()
    server.habits = [stalling(0, released)] * 3
    with pytest.raises(DownloadError, match="nothing came from the server for too long"):
        fetch(published, tmp_path)
    released.set()


def test_progress_buys_patience(server, published, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PROGRESS_BYTES", SHORT)
    server.habits = [breaking_off(SHORT)] * 10
    fetch(published, tmp_path)
    assert is_whole(tmp_path)


def test_beginning_anew_for_ever_buys_none(server, published, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PROGRESS_BYTES", SHORT)
    server.habits = [breaking_off(SHORT, tag=False)] * 10
    with pytest.raises(DownloadError, match="3 times"):
        fetch(published, tmp_path)
    assert len(server.requests) < 6


def test_nobody_at_home(published, tmp_path, server):
    server.close()
    with pytest.raises(DownloadError, match="refused"):
        fetch(published, tmp_path)
    assert os.listdir(tmp_path) == []


def test_an_unknown_host(published, tmp_path, monkeypatch):
    def no_such_name(*words, **options):
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", no_such_name)
    elsewhere = replace(published, addresses=("https://nowhere.invalid/model.pkl",))
    with pytest.raises(DownloadError, match="Name or service not known"):
        fetch(elsewhere, tmp_path)


def test_a_server_without_a_valid_certificate_is_asked_once(published, tmp_path, monkeypatch):
    asked = []

    def refuse(opener, wanted, timeout):
        asked.append(wanted.full_url)
        raise urllib.error.URLError(ssl.SSLCertVerificationError("certificate has expired"))

    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    with pytest.raises(DownloadError, match="cannot prove who it is.*has expired"):
        fetch(published, tmp_path)
    assert len(asked) == 1


# --- lengths that are not true


def test_a_claim_of_too_many_bytes_is_refused_at_once(server, published, tmp_path):
    server.habits = [claiming(len(CONTENT) + 10)]
    with pytest.raises(DownloadError, match=f"has {len(CONTENT) + 10} bytes; the published"):
        fetch(published, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_claim_of_too_few_bytes_is_refused_at_once(server, published, tmp_path):
    server.habits = [claiming(len(CONTENT) - 10)]
    with pytest.raises(DownloadError, match=f"has {len(CONTENT) - 10} bytes; the published"):
        fetch(published, tmp_path)


def test_too_many_claimed_bytes_never_make_a_file(server, unstated, tmp_path):
    lie = claiming(len(CONTENT) + 10, cut_after=len(CONTENT))
    server.habits = [lie, status(416)] * 5
    with pytest.raises(DownloadError):
        fetch(unstated, tmp_path)
    assert "model.pkl" not in os.listdir(tmp_path)


def test_too_few_claimed_bytes_are_no_whole_model(server, unstated, tmp_path):
    server.habits = [claiming(len(CONTENT) - 10)]
    with pytest.raises(DownloadError, match="not a complete model"):
        fetch(unstated, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("habit", [claiming(None), chunked(5)])
def test_a_length_is_not_needed(server, published, unstated, tmp_path, habit):
    for name, wanted in (("stated", published), ("unstated", unstated)):
        server.habits = [habit]
        fetch(wanted, tmp_path / name)
        assert is_whole(tmp_path / name)


@pytest.mark.parametrize("habit", [claiming(None, cut_after=SHORT), chunked(5, broken=True)])
def test_a_break_without_a_length_is_noticed(server, published, unstated, tmp_path, habit):
    for name, wanted in (("stated", published), ("unstated", unstated)):
        server.habits = [habit]
        fetch(wanted, tmp_path / name)
        assert is_whole(tmp_path / name)
        assert server.ranges[-1].startswith("bytes=")


def test_more_bytes_than_there_are_end_the_transfer(server, published, tmp_path):
    server.habits = [endless(CONTENT)]
    with pytest.raises(DownloadError, match=f"more than the {len(CONTENT)} bytes"):
        fetch(published, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_file_of_unknown_length_has_a_limit(server, unstated, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 2 * len(CONTENT))
    server.habits = [endless(CONTENT)]
    with pytest.raises(DownloadError, match="sends more than"):
        fetch(unstated, tmp_path)


# --- bytes that are not the file


def test_wrong_bytes_never_get_the_name(server, published, tmp_path):
    server.habits = [serving(OTHER)]
    with pytest.raises(DownloadError, match="its SHA-256 is .* as a page states"):
        fetch(published, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_changed_file_is_not_glued(server, published, tmp_path):
    server.habits = [breaking_off(SHORT)] + [breaking_off(0)] * 2
    server.content = OTHER
    with pytest.raises(DownloadError):
        fetch(published, tmp_path)
    server.content = CONTENT  # the half that is here belongs to OTHER
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.requests[-1][1]["if-range"] != server.tag


def test_a_server_that_glues_is_caught_by_the_tag(server, unstated, tmp_path):
    server.habits = [breaking_off(SHORT), glueing(OTHER, '"other"')]
    fetch(unstated, tmp_path)
    assert is_whole(tmp_path)
    assert server.ranges == ["", f"bytes={SHORT}-", ""]


def test_a_server_that_glues_under_the_old_tag_is_caught_by_the_hash(server, published, tmp_path):
    for folder, giving_up in ((tmp_path / "one call", 0), (tmp_path / "two calls", 2)):
        server.habits = [breaking_off(SHORT)] + [breaking_off(0)] * giving_up
        if giving_up:
            with pytest.raises(DownloadError):
                fetch(published, folder)
        server.habits += [glueing(OTHER, server.tag)]
        fetch(published, folder)
        assert is_whole(folder)
        assert server.ranges[-2:] == [f"bytes={SHORT}-", ""]


def test_bytes_that_were_damaged_on_disk_are_fetched_again(server, published, tmp_path):
    server.habits = [breaking_off(SHORT)] + [breaking_off(0)] * 2
    with pytest.raises(DownloadError):
        fetch(published, tmp_path)
    (tmp_path / PARTIAL).write_bytes(b"\x80" + b"?" * (SHORT - 1))
    fetch(published, tmp_path)
    assert is_whole(tmp_path)


@pytest.mark.parametrize("notes", ["{", "[]", '{"address": 3, "total": "many"}'])
def test_damaged_notes_only_cost_the_bytes(server, published, tmp_path, notes):
    (tmp_path / PARTIAL).write_bytes(CONTENT[:SHORT])
    (tmp_path / f"{PARTIAL}.json").write_text(notes)
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.ranges == [""]


def test_a_server_without_ranges_sends_everything_again(server, published, tmp_path):
    server.habits = [breaking_off(SHORT), ignoring_ranges()]
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.ranges == ["", f"bytes={SHORT}-"]


def test_a_part_that_was_not_asked_for_is_not_taken(server, published, tmp_path):
    server.habits = [breaking_off(SHORT), another_part(SHORT - 7)]
    fetch(published, tmp_path)
    assert is_whole(tmp_path)


def test_a_file_that_shrank_is_begun_anew(server, unstated, tmp_path):
    server.habits = [breaking_off(SHORT), status(416)]
    fetch(unstated, tmp_path)
    assert is_whole(tmp_path)
    assert server.ranges == ["", f"bytes={SHORT}-", ""]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"<!DOCTYPE html><html>log in</html>", "a web page, perhaps one to log in"),
        (b'{"requestStatus": {"statusCode": "SUCCESS"}}', "a JSON text"),
        (b"PK\x03\x04", "something else"),
    ],
)
def test_answers_that_are_no_model_are_named(server, unstated, tmp_path, answer, said):
    server.habits = [serving(answer)]
    with pytest.raises(DownloadError, match=said):
        fetch(unstated, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_compressed_answer_is_refused(server, published, tmp_path):
    server.habits = [serving(CONTENT, Content_Encoding="gzip")]
    with pytest.raises(DownloadError, match="another form .gzip"):
        fetch(published, tmp_path)


# --- statuses and redirects


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (401, "refuses .401.; it may want a login"),
        (403, "refuses .403.; it may want a login"),
        (404, "not there .404"),
        (410, "not there .410"),
        (418, "answered 418"),
        (204, "answered 204 without a file"),
    ],
)
def test_a_refusal_is_not_repeated(server, published, tmp_path, code, said):
    server.habits = [status(code)] * 2
    with pytest.raises(DownloadError, match=said):
        fetch(published, tmp_path)
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_busy_server_is_asked_again(server, published, tmp_path, code):
    server.habits = [status(code)] * 2
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    server.habits = [status(code)] * 3
    with pytest.raises(DownloadError, match=f"answered {code}"):
        fetch(published, tmp_path / "again")


def test_the_second_address_is_tried(server, published, tmp_path):
    both = replace(published, addresses=(server.address("old.pkl"), server.address()))
    server.habits = [status(404)]
    fetch(both, tmp_path)
    assert is_whole(tmp_path)
    assert [path for path, _ in server.requests] == ["/old.pkl", "/model.pkl"]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_followed(server, published, tmp_path, code):
    server.habits = [redirect(server.address("there.pkl", host="localhost"), code)]
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.requests[1][1]["host"].startswith("localhost")


def test_what_is_asked_for_survives_a_redirect(server, published, tmp_path):
    server.habits = [breaking_off(SHORT), redirect(server.address("there.pkl"))]
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
    assert server.ranges[-1] == f"bytes={SHORT}-"


@pytest.mark.parametrize(
    "target",
    ["http://example.invalid/a?signature=secret", "ftp://127.0.0.1/a", "file:///etc/hostname"],
)
def test_an_unsafe_redirect_is_refused(server, published, tmp_path, target):
    server.habits = [redirect(target)]
    with pytest.raises(DownloadError, match="not safe: expected https|not allowed") as caught:
        fetch(published, tmp_path)
    assert "secret" not in str(caught.value)


def test_a_redirect_in_a_circle_is_refused(server, published, tmp_path):
    server.habits = [redirect(server.address())] * 20
    with pytest.raises(DownloadError, match="answered 302"):
        fetch(published, tmp_path)
    assert len(server.requests) < 10


@pytest.mark.parametrize("address", ["http://example.invalid/a", "ftp://x/a", "file:///etc/a"])
def test_only_safe_addresses_are_asked(address):
    with pytest.raises(PermanentError, match="not safe"), request(address, 0, "", 1.0):
        pass


# --- this machine


def test_a_file_that_is_published_nowhere(tmp_path):
    absent = PublishedFile("model.pkl", remark="it was never published")
    with pytest.raises(DownloadError, match="cannot be downloaded: it was never published"):
        download(absent, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written(server, published, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(UserError, match="is a file|cannot write"):
            fetch(published, folder)
    assert server.requests == []


def test_a_folder_of_only_reading(server, published, tmp_path, monkeypatch):
    def refused(*words, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(UserError, match="cannot write in the folder .*Permission denied"):
        fetch(published, tmp_path)
    assert server.requests == []


def test_room_is_looked_for_before_anything_is_asked(server, published, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=100 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    large = replace(published, num_bytes=200 << 20)
    with pytest.raises(UserError, match="no space left .*100 MB are free; 264 MB are needed"):
        fetch(large, tmp_path)
    assert server.requests == []


_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from triptych.errors import UserError
from triptych.weights.download import download
from triptych.weights.published import PublishedFile

resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    download(PublishedFile("model.pkl", (sys.argv[1],)), Path(sys.argv[2]))
except UserError as error:
    sys.exit(str(error))
"""


def test_a_disk_that_fills_up_keeps_what_fits(server, unstated, tmp_path):
    command = [sys.executable, "-c", _ON_A_FULL_DISK, server.address(), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "cannot write" in done.stderr
    assert "kept: the same command resumes" in done.stderr
    assert "Traceback" not in done.stderr
    kept = (tmp_path / PARTIAL).stat().st_size
    assert (tmp_path / PARTIAL).read_bytes() == CONTENT[:kept]
    fetch(unstated, tmp_path)
    assert is_whole(tmp_path)


def test_two_downloads_do_not_write_one_file(server, published, tmp_path):
    pytest.importorskip("fcntl")
    begun, finish = threading.Event(), threading.Event()

    def hold(done, total):
        begun.set()
        finish.wait(20)

    first = threading.Thread(target=download, args=(published, tmp_path), kwargs={"progress": hold})
    first.start()
    assert begun.wait(20)
    with pytest.raises(UserError, match="being downloaded to .* already"):
        fetch(published, tmp_path)
    finish.set()
    first.join(20)
    assert is_whole(tmp_path)


def test_an_interrupted_call_keeps_its_bytes(server, published, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(published, tmp_path, progress=interrupt, retries=QUICK)
    assert (tmp_path / PARTIAL).stat().st_size > 0
    fetch(published, tmp_path)
    assert is_whole(tmp_path)
