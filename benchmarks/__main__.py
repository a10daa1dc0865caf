"""Compares thalweg with its peers, side by side in one run.

First every peer does the same work on the same weights and batches, and all have to compute the same results. Then they
are timed in turn, round after round, so that a change of the machine's speed affects all of them. Each peer has its own
process and is timed in several settings; tables have medians, and the ratio to each peer's best setting.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys

import thalweg
from benchmarks import charts, report
from benchmarks.accuracy.command import accuracy, add_options
from benchmarks.compare import Best, Plan, measure, show, workers
from benchmarks.convolutions import CONVOLUTIONS
from benchmarks.costs import Cost, Share, costs, share
from benchmarks.graphs import GRAPHS, SEQUENCES
from benchmarks.images import IMAGES
from benchmarks.peers import BEFORE, JAX_IMAGES, ON_JAX, present, versions
from benchmarks.report import ROOT, Report
from benchmarks.scaling import Series, scaling
from benchmarks.workloads import MIDDLE, WORKLOADS, Workload
from thalweg.engine.lanes import cores
from thalweg.support.printing import lasting_streams

EVERYTHING: list[Workload] = [*WORKLOADS, *IMAGES, *CONVOLUTIONS, *GRAPHS, *SEQUENCES]
QUICK = Plan(rounds=3, seconds=0.03, compiled=False)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="some minutes: few rounds, no torch.compile, no scaling")
    parser.add_argument("--eager", action="store_true", help="no torch.compile, which takes half the time")
    parser.add_argument("--rounds", type=int, help="rounds of every contender in turn")
    parser.add_argument("--only", metavar="NAME", help="only the workloads with this in their name; or costs, scaling")
    parser.add_argument(
        "--graphs",
        dest="only",
        action="store_const",
        const="graphs: ",
        help="only embeddings, several inputs, the functional API and operations",
    )
    parser.add_argument(
        "--sequences", dest="only", action="store_const", const="sequences: ", help="only recurrent layers"
    )
    parser.add_argument(
        "--before", metavar="FOLDER", help="compare with the thalweg in another checkout instead of the peers"
    )
    parser.add_argument("--write", action="store_true", help="write tables and pictures into the READMEs and docs/")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        "--cliff", action="store_true", help="a step at every width from 1 to 300, beside the one before"
    )
    modes.add_argument(
        "--contention", action="store_true", help="two lanes beside busy programs, on one core, beside another fit"
    )
    modes.add_argument(
        "--formulas", action="store_true", help="activations written as formulas, compared with the built-in ones"
    )
    modes.add_argument(
        "--estimators", action="store_true", help="MLPClassifier and MLPRegressor, compared with scikit-learn's"
    )
    modes.add_argument("--jax", action="store_true", help="the engine over JAX beside the native one and plain JAX")
    modes.add_argument("--record", action="store_true", help="what fit(..., record=True) costs")
    modes.add_argument("--soak", action="store_true", help="growth of memory over 10,000 predicts and 200 fits")
    modes.add_argument(
        "--accuracy", action="store_true", help="how well tables are predicted, beside other libraries; hours"
    )
    modes.add_argument(
        "--doctor", action="store_true", help="the doctor's false alarms in hundreds of healthy trainings"
    )
    modes.add_argument("--compiling", action="store_true", help="what compiling the kernels of `make demo` costs")
    modes.add_argument("--kernels", action="store_true", help="which kernels are made of references, and at what cost")
    modes.add_argument("--series", action="store_true", help="forecasts of series in time, beside other methods")
    modes.add_argument("--large", action="store_true", help="a million rows, and ten thousand columns")
    modes.add_argument("--on-disk", action="store_true", help="a Parquet folder larger than --memory 500MB")
    parser.add_argument("--gigabytes", type=float, default=5.0, help="of that folder; 5")
    parser.add_argument("--seconds", type=float, default=0.0, help="a limit of time for that training; none")
    add_options(parser)
    arguments = parser.parse_args()
    if arguments.write and (arguments.quick or arguments.only):
        parser.error("--write wants the whole run: leave out --quick and --only")
    return arguments


def compare(
    peers: list[str], plan: Plan, only: str | None, among: list[Workload] = EVERYTHING
) -> list[tuple[Workload, Best]]:
    """The workloads' results, printed as they arrive."""
    chosen = [work for work in among if only is None or only in work.name]
    results = []
    with workers(peers if chosen else []) as everyone:
        for work in chosen:
            best = measure(work, everyone, plan)
            if best:
                show(work, best, plan)
                results.append((work, best))
            else:
                print(f"{work.name}: left out, thalweg can't do it")
    return results


def everything(arguments: argparse.Namespace) -> None:
    plan = QUICK if arguments.quick else Plan()
    plan = Plan(arguments.rounds or plan.rounds, plan.seconds, plan.compiled and not arguments.eager)
    only, peers = arguments.only, present()
    if arguments.before:
        os.environ["BENCHMARKS_THALWEG"] = os.path.abspath(arguments.before)
        compare(["thalweg", BEFORE], plan, only)
        return
    results = compare(peers, plan, only)
    second: list[Cost] = []
    reached: Share | None = None
    series: list[Series] = []
    if only is None or only == "costs":
        print("imports, starts, memory, and the share of the processor's peak …", flush=True)
        second = costs(peers, 1 if arguments.quick else 5)
        reached = share(rounds=plan.rounds)
    if only == "scaling" or (only is None and not arguments.quick):
        series = scaling(peers)
    found = f"{versions(peers)}; Python {platform.python_version()}, {platform.machine()}, {cores()} cores"
    whole = Report(results, second, reached, plan.rounds, found, cores(), series, plan.compiled)
    if results or second:
        print(f"\n{whole.markdown()}")
    if not any(c in work.name for work, _ in results for c in (only or "",)) and not second and not series:
        sys.exit(f"no workload has {only!r} in its name: {'; '.join(w.name for w in EVERYTHING)}; costs; scaling")
    if arguments.write:
        pictures(results, series)
        report.write(whole)


def pictures(results: list[tuple[Workload, Best]], series: list[Series]) -> None:
    if not charts.possible():
        print("no pictures: matplotlib is not installed; pip install 'thalweg[bench]'")
        return
    charts.speed(results, ROOT / "docs" / "speed.svg")
    charts.scaling(series, ROOT / "docs" / "scaling.svg")


def main() -> None:
    arguments = parsed()
    print(f"thalweg {thalweg.__version__} on {cores()} cores", flush=True)
    if arguments.cliff:
        from benchmarks.cliff import cliff

        cliff()
    elif arguments.series:
        from benchmarks.series import series

        series()
    elif arguments.contention:
        from benchmarks.strain import contention

        contention()
    elif arguments.formulas:
        from benchmarks.formulas import formulas

        formulas(arguments.only)
    elif arguments.kernels:
        from benchmarks.derived_kernels import kernels

        kernels(arguments.only)
    elif arguments.estimators:
        from benchmarks.estimators import estimators

        estimators(arguments.only, arguments.rounds or (3 if arguments.quick else 7))
    elif arguments.jax:
        plan = QUICK if arguments.quick else Plan()
        peers = present(["thalweg", ON_JAX, JAX_IMAGES])
        compare(peers, Plan(arguments.rounds or plan.rounds, plan.seconds), arguments.only, [MIDDLE, IMAGES[0]])
    elif arguments.record:
        from benchmarks.record import record

        record(arguments.only, arguments.rounds or (5 if arguments.quick else 15))
    elif arguments.soak:
        from benchmarks.strain import soak

        soak()
    elif arguments.accuracy:
        accuracy(arguments)
    elif arguments.doctor:
        from benchmarks.doctor.command import doctor

        doctor(arguments.write, arguments.quick)
    elif arguments.compiling:
        from benchmarks.compiling import compiling

        compiling()
    elif arguments.large:
        from benchmarks.accuracy.large import large

        large()
    elif arguments.on_disk:
        from benchmarks.on_disk import on_disk

        on_disk(arguments.gigabytes, arguments.seconds)
    else:
        everything(arguments)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
