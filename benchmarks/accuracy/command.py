"""`python -m benchmarks --accuracy`: measures what is missing, and prints and writes what the records tell."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import charts
from benchmarks.accuracy import few, page, picture, small
from benchmarks.accuracy.methods import METHODS
from benchmarks.accuracy.records import read
from benchmarks.accuracy.runs import ROOT, chosen, measure, plan
from benchmarks.accuracy.tables import SPLITS, TABLES

RESULTS = Path(__file__).parent / "results.jsonl"
PAGE, PICTURE = ROOT / "docs" / "accuracy.md", ROOT / "docs" / "accuracy.svg"
FEW_PICTURE = ROOT / "docs" / "few-rows.svg"


def add_options(parser: argparse.ArgumentParser) -> None:
    options = parser.add_argument_group("with --accuracy")
    options.add_argument("--tables", nargs="+", metavar="TABLE", choices=list(small.KNOWN), help=", ".join(small.KNOWN))
    options.add_argument("--methods", nargs="+", metavar="METHOD", choices=list(METHODS), help=", ".join(METHODS))
    options.add_argument("--splits", type=int, default=len(SPLITS), choices=range(len(SPLITS) + 1),
                         help="how many outer splits; 0 only shows what is there")  # fmt: skip
    options.add_argument("--small", action="store_true", help="tables of 10 to 200 rows, each drawn several times")
    options.add_argument("--draws", type=int, default=small.DRAWS, help="with --small; default: %(default)s")
    options.add_argument("--again", action="store_true", help="measure also what the results have")
    options.add_argument("--results", metavar="FILE", type=Path, help="default: results.jsonl or small.jsonl there")


def of_few_rows(arguments: argparse.Namespace) -> None:
    """`--accuracy --small`: the same for tables of few rows."""
    results, tables = arguments.results or small.RESULTS, arguments.tables or list(small.NAMES)
    if arguments.splits:
        methods = chosen(arguments.methods or list(small.COMPARED))
        small.measure(methods, tables, results, arguments.again, arguments.draws)
    found = few.Few.of(read(results, small.key))
    print(f"\n{few.markdown(found)}")
    if arguments.write:
        page.write(PAGE, few.markdown(found), few.MARK)
        if charts.possible() and found.methods:
            few.draw(found, FEW_PICTURE)


def accuracy(arguments: argparse.Namespace) -> None:
    if arguments.small:
        of_few_rows(arguments)
        return
    results = arguments.results or RESULTS
    if other := [name for name in arguments.tables or () if name not in TABLES]:
        raise SystemExit(f"{', '.join(other)}: only with --small")
    tables = [TABLES[name] for name in arguments.tables] if arguments.tables else None
    absent = [table.name for table in tables or TABLES.values() if not table.present]
    if absent:
        print(f"no data, left out: {', '.join(absent)}")
    measure(plan(chosen(arguments.methods), tables, arguments.splits), results, arguments.again)
    records = read(results)
    print(f"\n{page.markdown(records, arguments.tables or tuple(TABLES))}")
    if not arguments.write:
        return
    found = page.comparisons(records)
    page.write(PAGE, page.markdown(records))
    if not charts.possible():
        print("no picture: matplotlib is not installed; pip install 'thalweg[bench]'")
    elif found:
        picture.draw(found[-1], PICTURE)  # the one with most methods
