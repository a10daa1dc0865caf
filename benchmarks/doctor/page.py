"""docs/doctor.md: the table of rules, and what the trainings of `python -m benchmarks --doctor` say of them."""

from __future__ import annotations

from benchmarks.doctor.command import Outcome
from benchmarks.doctor.pairs import PAIRS
from benchmarks.report import ROOT
from thalweg.doctor import RULES

PAGE = ROOT / "docs" / "doctor.md"
TABLE, FIGURES, NEW = "<!-- the rules -->", "<!-- the figures -->", "<!-- the new figures -->"
HEADER = (
    *("rule", "symptom", "harm", "a training that provokes it", "its healthy twin"),
    *("false alarms on data that it was tuned on", "on new data"),
)


def cells(rule: str) -> list[str]:
    """A rule's row, without its false alarms."""
    pair = next(pair for pair in PAIRS if pair.rule == rule)
    return [rule, RULES[rule].symptom, RULES[rule].harm, pair.provoked, pair.twin]


def table(old: Outcome, new: Outcome) -> str:
    """The table of rules."""
    rows = [
        [*cells(rule), *(f"{outcome.of(rule)} of {outcome.checked[rule]}" for outcome in (old, new))] for rule in RULES
    ]
    lines = [" | ".join(row) for row in (HEADER, ["---"] * len(HEADER), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def figures(outcome: Outcome) -> str:
    """What was trained, in sentences."""
    sick = outcome.trainings - outcome.healthy
    kinds = (f"{count} on {'tables' if kind == 'table' else kind}" for kind, count in outcome.kinds.items())
    lax = ", ".join(f"{rule} {count}" for rule, count in outcome.lax_alarms.most_common()) or "none"
    return (
        f"{outcome.trainings} trainings on {len(outcome.names)} data sets ({', '.join(outcome.names)}); "
        f"{outcome.healthy} of them were healthy ({', '.join(kinds)}). False "
        f"alarms in these: {len(outcome.alarms)}, in {outcome.alarmed} of the trainings. Of the {sick} others, "
        f"which predict less well than is known to be possible, {outcome.ill} had a finding. If the best of "
        f"scikit-learn's models alone set the mark, {outcome.lax} would be healthy; findings in these: {lax}. "
        f"A diagnosis while a network trains, without simple models, took {outcome.milliseconds:.1f} ms (median)."
    )


def write(old: Outcome, new: Outcome) -> None:
    """Puts the table and the figures into the page, between their marks."""
    text = PAGE.read_text(encoding="utf-8")
    for mark, said in ((TABLE, table(old, new)), (FIGURES, figures(old)), (NEW, figures(new))):
        before, _, after = text.split(mark)
        text = f"{before}{mark}\n{said}\n{mark}{after}"
    PAGE.write_text(text, encoding="utf-8")
