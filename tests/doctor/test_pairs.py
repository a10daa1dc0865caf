"""Every rule finds the training that provokes it, and nothing in its healthy twin."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.doctor.pairs import PAIRS
from thalweg.doctor import RULES

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.rule for pair in PAIRS])
def test_it_is_found_when_provoked_and_not_in_the_twin(pair):
    found = [finding.rule for finding in pair.train(True).diagnose().findings]
    assert pair.rule in found
    diagnosis = pair.train(False).diagnose()
    assert [finding.rule for finding in diagnosis.findings] == []
    assert pair.rule in diagnosis.checked  # it wasn't simply left out


def test_every_rule_has_a_pair():
    assert [pair.rule for pair in PAIRS] == sorted(RULES, key=[pair.rule for pair in PAIRS].index)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_the_page_tells_every_rule_as_it_is(rule):
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {rule.name} |"))
    _, _, symptom, harm, provoked, twin, *alarms, _ = (cell.strip() for cell in row.split("|"))
    assert (symptom, harm) == (rule.symptom, rule.harm)
    assert [(p.provoked, p.twin) for p in PAIRS if p.rule == rule.name] == [(provoked, twin)]
    old, new = (tuple(map(int, counted.split(" of "))) for counted in alarms)
    for false, healthy in (old, (old[0] + new[0], old[1] + new[1])):  # with the new data, and without
        assert false <= healthy / 100
    assert new[0] <= new[1] / 50
