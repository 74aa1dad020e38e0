"""What README and docs tell people to type exists: commands, their options, Python names, files."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import triptych
from triptych.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPTIONS = json.loads((ROOT / "tests/cli/frozen_options.json").read_text())


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for named, block in found if named == language]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `triptych` of every command in code blocks and in running text."""
    for block in [*blocks(text, ""), *re.findall(r"`([^`\n]+)`", text)]:
        typed = ""
        for line in block.replace("\\\n", " ").splitlines():
            typed += line.strip()
            try:
                words = shlex.split(typed, comments=True)
            except ValueError:  # a quoted text goes on in the next line
                continue
            typed = ""
            if words[:1] == ["triptych"] and "|" not in words[1:]:
                yield words[1:] or ["--help"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_the_options_that_are_typed(page):
    for words in commands(page.read_text()):
        if words[0] in ("--help", "--version", "VERB"):
            continue
        assert words[0] in VERBS, words
        command = " ".join(words[:2]) if " ".join(words[:2]) in OPTIONS else words[0]
        typed = {word.split("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert typed <= set(OPTIONS[command]), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_samples_use_names_that_exist(page):
    for sample in blocks(page.read_text(), "python"):
        tree = ast.parse(sample)
        imported = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)
                imported |= {name.name for name in node.names}
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert imported <= used, "a name is imported and not used"
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "triptych":
                assert hasattr(triptych, node.attr), ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_and_pictures_that_are_linked_exist(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_samples_are_found():
    pages = [page.read_text() for page in PAGES]
    assert sum(len(blocks(page, "python")) for page in pages) >= 3
    assert sum(len(list(commands(page))) for page in pages) >= 60
