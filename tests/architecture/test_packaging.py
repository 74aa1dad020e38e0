"""Files for package indexes, containers and citations say what the project is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from triptych.weights.registry import MODELS

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text()
EXTRAS = re.findall(r"^(\w+) = \[", PROJECT.partition("[project.optional-dependencies]")[2], re.M)
EMBEDDED = [
    entry.name for entry in MODELS.values() if entry.origin == "embedded" and entry.present()
]
CARDS = (ROOT / "src/triptych/weights/embedded/MODELS.md").read_text()


def project_value(name: str) -> str:
    found = re.search(rf'^{name} = "(.+)"$', PROJECT, re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == project_value("version")
    assert citation["license"] == project_value("license")
    notice = (ROOT / "NOTICE").read_text()
    for paper in citation["references"]:
        number = re.search(r"arXiv:(\S+);", paper["notes"])
        assert number is not None
        assert number[1] in notice, paper["title"]


def test_installation_lines_name_extras_that_exist():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Dockerfile"]
    sources = [*pages, *(ROOT / "src").rglob("*.py"), ROOT / "Makefile"]
    asked = {
        extra
        for file in sources
        for listed in re.findall(r"(?:triptych|\.)\[([a-z,]+)\]", file.read_text(encoding="utf-8"))
        for extra in listed.split(",")
    }
    assert {"photo", "dev"} <= asked
    assert asked <= set(EXTRAS)


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md", "Dockerfile"])
def test_small_build_of_torch_is_one_that_the_package_allows(name):
    """Another one would be replaced at once by the large build, which has an allowed version."""
    (allowed,) = re.findall(r'"torch>=[\d.]+,(<[\d.]+)"', PROJECT)
    text = (ROOT / name).read_text()
    (asked,) = re.findall(r'pip install "torch([^"]*)" --index-url .*/whl/cpu', text)
    assert asked == allowed


def test_hooks_are_the_checks_of_make_lint():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    recipe = (ROOT / "Makefile").read_text()
    for hook in local["hooks"]:
        assert hook["entry"].removesuffix(" --force-exclude").split(" ")[0] in recipe
        assert hook["language"] == "system", "the environment has the versions"


def test_container_runs_the_command_as_an_ordinary_user():
    """There is no container tool here, so its steps are read."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    names = [name for name, _ in steps]
    known = {"FROM", "ENV", "RUN", "COPY", "USER", "WORKDIR", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert {*names} <= known
    user = names.index("USER")
    assert steps[user][1] != "root"
    assert f"--uid 1000 {steps[user][1]}" in text
    assert all(number < user for number, name in enumerate(names) if name in ("RUN", "COPY"))
    torch = next(number for number, (_, rest) in enumerate(steps) if "whl/cpu" in rest)
    package = next(number for number, (_, rest) in enumerate(steps) if "/opt/triptych[" in rest)
    assert torch < package, "the package would bring the large build of torch first"
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [rest.split()[:-1] for name, rest in steps if name == "COPY"]
    for source in sum(copied, []):
        assert (ROOT / source).exists(), source
        assert f"!{source}" in let_in, source
    command = next(rest for name, rest in steps if name == "ENTRYPOINT")
    assert f"{yaml.safe_load(command)[0]} = " in PROJECT.partition("[project.scripts]")[2]
    verb, *words = yaml.safe_load(next(rest for name, rest in steps if name == "CMD"))
    options = json.loads((ROOT / "tests/cli/frozen_options.json").read_text())[verb]
    assert {word for word in words if word.startswith("--")} <= set(options)


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_embedded_model_has_a_card(name):
    card = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", CARDS, re.MULTILINE | re.DOTALL)
    assert card is not None, f"write a section on {name} in MODELS.md"
    parts = [part for part in ("Data", "Figures", "Limits") if f"**{part}:**" in card[1]]
    assert parts == ["Data", "Figures", "Limits"]
    stated = re.search(r"([\d.]+)\s+MB", card[1])
    assert stated is not None
    assert float(stated[1]) == pytest.approx(MODELS[name].num_bytes() / 1e6, rel=0.05)
