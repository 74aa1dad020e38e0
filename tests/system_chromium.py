"""The Chromium of the system, with its graphics computed in software; without one tests skip."""

from __future__ import annotations

import shutil

import pytest

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is missing: pip install 'triptych[dev]'"
)
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"
)
SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE_MS = 60_000
