"""What a contributor meets first: workflows and hooks that name what there is, links that lead somewhere."""

import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

import thalweg
from wheels.__main__ import SYSTEMS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.search(r"\.PHONY: (.*)", MAKEFILE)[1].split())
CI = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
PAGES = [
    *sorted(ROOT.glob("*.md")),
    ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def test_the_workflow_runs_every_python_on_every_system():
    matrix = CI["jobs"]["test"]["strategy"]["matrix"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert matrix["python"] == named
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_the_steps_of_the_workflow_can_be_run():
    for name, job in CI["jobs"].items():
        for step in job["steps"]:
            assert len({"uses", "run"} & set(step)) == 1, name
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), step["uses"]
            elif step["run"].startswith("make "):
                target = step["run"].split()[1]
                assert target in TARGETS or target.removeprefix(".venv/") in PROJECT["optional-dependencies"]
    runs = [step["run"] for step in CI["jobs"]["test"]["steps"] if "run" in step]
    for tool in re.findall(r"\$\(BIN\)/(.*)", MAKEFILE[MAKEFILE.index("lint:") : MAKEFILE.index("# Structure")]):
        assert tool in runs, "the workflow checks what `make lint` does"


def test_the_tests_of_make_are_there():
    named = re.findall(r"tests/[\w/]+\.py(?:::\w+)?", MAKEFILE)
    assert len(named) > 10
    for name in named:
        path, _, test = name.partition("::")
        assert (ROOT / path).exists(), name
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8") if test else True, name


@pytest.fixture
def too_long():
    hooks = {hook["id"]: hook for hook in HOOKS["repos"][0]["hooks"]}
    assert hooks["subject"]["stages"] == ["commit-msg"]
    assert hooks["subject"]["args"] == ["--multiline"]
    return re.compile(hooks["subject"]["entry"], re.MULTILINE | re.DOTALL)  # the flags of pre-commit's pygrep


def test_a_release_tries_every_wheel_where_it_belongs_and_publishes_without_a_secret():
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    assert release[True] == {"push": {"tags": ["v*"]}, "workflow_dispatch": None}  # YAML reads the word "on" as true
    build, trial, publish = (release["jobs"][name] for name in ("build", "try", "publish"))
    assert build["steps"][0]["with"]["fetch-depth"] == 0  # with the tags
    matrix = trial["strategy"]["matrix"]
    assert matrix["python"] == CI["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert [f"Programming Language :: Python :: {version}" in PROJECT["classifiers"] for version in matrix["python"]]
    assert set(matrix["system"]) == set(SYSTEMS) == {place["system"] for place in matrix["include"]}
    for place in matrix["include"]:
        assert all(fnmatch(tag, place["tag"]) for tag in SYSTEMS[place["system"]].tags[:1])
        assert sum(fnmatch(system.tags[0], place["tag"]) for system in SYSTEMS.values()) == 1
    assert "python -m wheels.trial" in trial["steps"][-2]["run"]
    assert "python -m wheels.extras" in trial["steps"][-1]["run"]
    assert (trial["needs"], publish["needs"]) == ("build", "try")
    assert publish["if"] == "github.ref_type == 'tag'"
    assert publish["permissions"] == {"id-token": "write", "attestations": "write"}
    assert release["permissions"] == {"contents": "read"}
    assert "secrets." not in str(release)


def test_the_hook_refuses_long_subjects_alone(too_long):
    assert too_long.search("A" * 73)
    assert too_long.search("A" * 73 + "\n\nWhy.")
    assert not too_long.search("A" * 72 + "\n\n" + "B" * 100)
    assert not too_long.search("Merge branch '" + "A" * 73 + "'")


def test_the_hooks_run_tools_of_the_dev_extra():
    dev = {re.split(r"\W", line)[0] for line in PROJECT["optional-dependencies"]["dev"]}
    tools = [shlex.split(h["entry"])[0] for h in HOOKS["repos"][0]["hooks"] if h["language"] == "system"]
    assert {Path(tool).name for tool in tools} == {"ruff", "mypy"} <= dev


def test_the_version_is_that_of_a_tag():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert settings["version"]["source"] == "vcs"
    written = ROOT / settings["build"]["hooks"]["vcs"]["version-file"]
    known = written.read_text(encoding="utf-8") if written.exists() else settings["version"]["fallback-version"]
    assert thalweg.__version__ in known
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.match(r"# Changes\n\n## \d+\.\d+\.\d+", changes)


def test_the_citation_agrees_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["license"] == PROJECT["license"]
    assert citation["keywords"] == PROJECT["keywords"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert not {"version", "date-released"} & set(citation)  # the version stands in one place


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").iterdir()), ids=lambda path: path.stem)
def test_a_form_for_issues_is_one(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(form) == {"name", "description", "labels", "body"}
    asked = [field["id"] for field in form["body"]]
    assert len(set(asked)) == len(asked) > 1
    for field in form["body"]:
        assert field["type"] in ("textarea", "input")
        assert field["attributes"]["label"]


CATALOGUES = (ROOT / "docs" / "reference" / "catalogues.py").read_text(encoding="utf-8")
MADE = {f"{name}.md" for name in re.findall(r'Section\(\s*"(\w+)"', CATALOGUES)}
MADE |= {"reference.md", "options.md", "map.md", "map.zh.md", "code.md"}  # pages that `make docs` generates


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    """Those of the site, anchors included: test_site.py."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    made = MADE if page.parent == ROOT / "docs" else set()
    assert [
        link for link in links if "://" not in link and link not in made and not (page.parent / link).exists()
    ] == []


def test_the_rooms_of_the_architecture_exist():
    block = re.search(r"```\nthalweg/\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.S)
    places, named = [ROOT / "thalweg"], set()
    for line in block[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.match(r"\s*((?:[\w.]+(?:/|\.py) ?)+)", line)[1].split()
        assert all((places[depth - 1] / name).exists() for name in names), line
        named |= {places[depth - 1] / name for name in names if name.endswith("/")}
        places[depth:] = [places[depth - 1] / names[0]]
    folders = {path.parent for path in (ROOT / "thalweg").glob("*/__init__.py")}
    assert folders <= named, f"without a line: {folders - named}"
