"""docs/doctor.md: the table of rules, and what the trainings of `python -m benchmarks --doctor` say of them."""

from __future__ import annotations

from benchmarks.doctor.command import Outcome
from benchmarks.doctor.pairs import PAIRS
from benchmarks.report import ROOT
from thalweg.doctor import RULES

PAGE = ROOT / "docs" / "doctor.md"
TABLE, FIGURES = "<!-- the rules -->", "<!-- the figures -->"
HEADER = ("rule", "symptom", "harm", "a training that provokes it", "its healthy twin", "false alarms")


def cells(rule: str) -> list[str]:
    """A rule's row, without its false alarms."""
    pair = next(pair for pair in PAIRS if pair.rule == rule)
    return [rule, RULES[rule].symptom, RULES[rule].harm, pair.provoked, pair.twin]


def table(outcome: Outcome) -> str:
    """The table of rules."""
    alarms = [alarm.rule for alarm in outcome.alarms]
    rows = [[*cells(rule), f"{alarms.count(rule)} of {outcome.checked[rule]}"] for rule in RULES]
    lines = [" | ".join(row) for row in (HEADER, ["---"] * len(HEADER), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def figures(outcome: Outcome) -> str:
    """What was trained, in sentences."""
    sick = outcome.trainings - outcome.healthy
    return (
        f"{outcome.trainings} trainings on {len(outcome.names)} data sets ({', '.join(outcome.names)}); "
        f"{outcome.healthy} of "
        f"them were healthy, {outcome.kinds['table']} on tables and {outcome.kinds['images']} on images. In these, "
        f"{len(outcome.alarms)} findings were false alarms, in {outcome.alarmed} trainings. Of the {sick} others, "
        f"which "
        f"predict less well than is known to be possible, {outcome.ill} had a finding. A diagnosis while a network "
        f"trains, "
        f"without simple models, took {outcome.milliseconds:.1f} ms (median)."
    )


def write(outcome: Outcome) -> None:
    """Puts the table and the figures into the page, between their marks."""
    text = PAGE.read_text(encoding="utf-8")
    for mark, new in ((TABLE, table(outcome)), (FIGURES, figures(outcome))):
        before, _, after = text.split(mark)
        text = f"{before}{mark}\n{new}\n{mark}{after}"
    PAGE.write_text(text, encoding="utf-8")
