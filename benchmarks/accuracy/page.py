"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.accuracy.ranking import (
    DEFAULT,
    FAST,
    REFERENCE,
    Comparison,
    Scores,
    Splits,
    complete,
    is_ours,
    measured,
    partial,
)
from benchmarks.accuracy.records import Key, Record
from benchmarks.accuracy.tables import SPLITS, TABLES

MARK = "accuracy"


def comparisons(records: dict[Key, Record], tables: Sequence[str] = tuple(TABLES)) -> list[Comparison]:
    """On all splits that the reference and our default have; if more methods have the first one, on that as well."""
    pair = [measured(records, name, tables) for name in (REFERENCE, DEFAULT)]
    both = {table: [s for s in pair[0].get(table, ()) if s in pair[1].get(table, ())] for table in tables}
    found = [Comparison(records, complete(records, both), both)] if all(both.values()) else []
    first = dict.fromkeys(tables, SPLITS[:1])
    more = complete(records, first)
    if REFERENCE in more and (not found or len(more) > len(found[0].methods)):
        found.append(Comparison(records, more, first))
    return found


def markdown(records: dict[Key, Record], tables: Sequence[str] = tuple(TABLES)) -> str:
    """All that the records tell; a sentence if the reference lacks a table."""
    whole = comparisons(records, tables)
    if not whole:
        return f"Nothing to compare yet: {REFERENCE} doesn't have all tables."
    parts = [part for one in whole for part in (f"**{title(one)}**", summary(one))]
    parts += [losses(one) for one in whole if DEFAULT in one.methods][:1]
    parts += [f"**{BY_SIZE}**\n\n{costs(one)}" for one in whole if DEFAULT in one.methods][:1]
    few = partial(records, whole[-1])
    parts += ["**Methods without all tables**, each on the tables that it has", beside(few)] if few else []
    parts += [
        f"**{name}**\n\n{scores(whole[-1], kind)}" for name, kind in SCORES.items() if whole[-1].of_task(TASKS[kind])
    ]
    return "\n\n".join(parts)


SCORES = {"Error of classes": "error", "Log-loss": "log_loss", "RMSE / standard deviation": "nrmse"}
TASKS = {"error": "classes", "log_loss": "classes", "nrmse": "numbers"}


BY_SIZE = f"CPU seconds of a fit, as a multiple of {REFERENCE}'s: geometric mean over tables (least to most), and sums"
SIZES = (2_000, 10_000)  # training rows: below the first is small, from the second on large


def title(one: Comparison) -> str:
    return f"{len(one.tables)} tables, {told(one.splits)}"


def told(splits: Splits) -> str:
    """The seeds, with the tables if these don't all have the same."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for table, seeds in splits.items():
        groups.setdefault(tuple(seeds), []).append(table)
    named = {f"split{'s' * (len(g) > 1)} {', '.join(map(str, g))}": names for g, names in groups.items()}
    if len(named) == 1:
        return next(iter(named))
    return "; ".join(f"{seeds} of {', '.join(names)}" for seeds, names in named.items())


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, body)])


def percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:+.1f}"


def seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def summary(one: Comparison) -> str:
    """A row for each method, by mean rank of error."""
    by_error = {name: one.rank(name, one.errors) for name in one.methods}
    ratios = [one.ratios(name, REFERENCE) for name in ("error", "log_loss", "nrmse")]
    won, tied = one.wins(REFERENCE)
    totals = [one.total(name) for name in ("fit_cpu", "fit_wall", "predict_wall")]
    above = one.values("above_mib", one.tables).max(axis=0)
    body = [
        [
            name,
            ranked(one, name, one.errors),
            ranked(one, name, one.losses) if len(one.losses) else "–",
            " / ".join(percent(r[i]) for r in ratios),
            "" if name == REFERENCE else f"{won[i]}" + f" (+{tied[i]} equal)" * bool(tied[i]),
            *(seconds(t[i]) for t in totals),
            f"{above[i]:,.0f}",
        ]
        for i, name in sorted(enumerate(one.methods), key=lambda pair: by_error[pair[1]])
    ]
    against = f"error / log-loss / RMSE against {REFERENCE}, %"
    costs = ["fit, CPU s", "fit, s", "predict, s", "memory, MiB"]
    return rows(["method", "mean rank by error", "by log-loss", against, f"better than {REFERENCE} on", *costs], body)


def ranked(one: Comparison, name: str, scores: Scores) -> str:
    """A mean rank; of ours with the reference's in the same field."""
    found = one.ranked(scores, one.field(name))
    return f"{found[name]:.2f}" + f" ({REFERENCE} {found[REFERENCE]:.2f})" * is_ours(name)


def losses(one: Comparison) -> str:
    """The tables on which ours has more error than the reference, and than the best of the others."""
    ours = one.methods.index(DEFAULT)
    others = [i for i, name in enumerate(one.methods) if not is_ours(name)]
    best = one.errors[:, others].min(axis=1)
    who = [one.methods[others[i]] for i in one.errors[:, others].argmin(axis=1)]
    theirs = one.errors[:, one.methods.index(REFERENCE)]

    def worse(against: Scores, names: Sequence[str] | None = None) -> str:
        those = [i for i in range(len(one.tables)) if one.errors[i, ours] > against[i]]
        return ", ".join(
            f"{one.tables[i]} ({f'{names[i]}, ' if names else ''}{more(one.errors[i, ours], against[i])})"
            for i in those
        )

    parts = [f"{DEFAULT} has more error than {REFERENCE} on {worse(theirs) or 'no table'}."]
    parts.append(f"Less error than it has another library's method on {worse(best, who) or 'no table'}.")
    return " ".join(parts)


def costs(one: Comparison) -> str:
    """A row for the tables of each size and task: a few tables, on which the reference is slow, make most of a sum."""
    size = {table: one.records[REFERENCE, table, seeds[0]]["rows"] for table, seeds in one.splits.items()}
    small, large = SIZES
    which: dict[str, Callable[[str], bool]] = {
        f"fewer than {small:,} training rows": lambda table: size[table] < small,
        f"{small:,} to {large:,}": lambda table: small <= size[table] < large,
        f"{large:,} and more": lambda table: large <= size[table],
        "classes": lambda table: table in one.of_task("classes"),
        "numbers": lambda table: table in one.of_task("numbers"),
        "all": lambda table: True,
    }
    places = [one.methods.index(name) for name in (DEFAULT, FAST) if name in one.methods]
    theirs = one.methods.index(REFERENCE)
    body = []
    for told_as, wanted in which.items():
        if not (tables := [table for table in one.tables if wanted(table)]):
            continue
        cpu = one.values("fit_cpu", tables)
        cells = [multiple(cpu[:, place] / cpu[:, theirs]) for place in places]
        sums = " / ".join(seconds(cpu[:, place].sum()) for place in [theirs, *places])
        body.append([f"{told_as}: {len(tables)}", *cells, sums])
    names = [one.methods[place] for place in places]
    return rows(["tables", *names, f"CPU s: {' / '.join([REFERENCE, *names])}"], body)


def multiple(ratios: Scores) -> str:
    return f"{np.exp(np.log(ratios).mean()):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def more(ours: float, theirs: float) -> str:
    return f"+{100 * (ours / theirs - 1):.0f} %" if theirs else f"{ours:.4f} against 0"


def beside(few: dict[str, Comparison]) -> str:
    """A row for each method: its rank among the complete ones and itself, with the same of the reference and ours."""
    body = []
    for name, one in few.items():
        rank = one.ranked(one.errors, [m for m in one.methods if m in (name, DEFAULT) or not is_ours(m)])
        cpu = dict(zip(one.methods, one.total("fit_cpu"), strict=True))
        ratio = {kind: one.ratios(kind, REFERENCE)[-1] for kind in ("error", "log_loss", "nrmse")}
        three = [name, REFERENCE, *([DEFAULT] if DEFAULT in rank else [])]
        body.append(
            [
                name,
                f"{len(one.tables)}: {', '.join(one.tables)}; {told(one.splits)}",
                " / ".join(f"{rank[n]:.2f}" for n in three) + f" of {len(rank)}",
                " / ".join(percent(r) for r in ratio.values()),
                " / ".join(seconds(cpu[n]) for n in three),
            ]
        )
    head = ["method", "tables", f"mean rank by error: it / {REFERENCE} / {DEFAULT}",
            f"error / log-loss / RMSE against {REFERENCE}, %", "fit, CPU s: the same three"]  # fmt: skip
    return rows(head, body)


def scores(one: Comparison, kind: str) -> str:
    """A row for each table, a column for each method; the best is bold."""
    tables = one.of_task(TASKS[kind])
    body = []
    for name, found in zip(tables, one.values(kind, tables), strict=True):
        cells = [f"{value:.4f}" for value in found]
        best = f"{found.min():.4f}"
        body.append([name, *(f"**{cell}**" if cell == best else cell for cell in cells)])
    return rows(["", *one.methods], body)


def write(path: Path, text: str, mark: str = MARK) -> None:
    """Replaces the part of a page between two marks of this name."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise SystemExit(f"{path.name} has no place for the results: it lies between {begin} and {end}")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
