"""The program of a training step, with the time that each instruction takes."""

from __future__ import annotations

from typing import Any

from thalweg.views.report.subject import Clock, Subject, both

REPEATS = 20
LEAST = 0.5
MOST_ROWS = 120
LONGEST = 160
SECTIONS = {"forward": ("forward", "前向"), "backward": ("backward", "反向"), "update": ("update", "更新")}


def timing(subject: Subject, clock: Clock) -> dict[str, Any] | None:
    """The section; None without a network that can train."""
    network = subject.network
    if network is None or not network.model.compiled:
        return None
    measured = clock.has(LEAST, both("time of each instruction", "每個指令的時間"))
    model, batch = network.model, network.batch
    listing = model.profile(batch, REPEATS) if measured else model.program("training", batch)
    rows = []
    for row in listing.rows[:MOST_ROWS]:
        formula = row.formula if len(row.formula) <= LONGEST else row.formula[: LONGEST - 1] + "…"
        line: list[Any] = [str(row.number), both(*SECTIONS[row.section]), row.name, formula]
        line += ["×".join(map(str, row.shape)), f"{row.flops:,}"]
        if measured:
            line += ["", ""] if row.seconds is None else [f"{row.seconds * 1e6:,.1f}", f"{row.share or 0:.1%}"]
        rows.append(line)
    columns: list[Any] = ["#", both("part", "部分"), both("instruction", "指令"), both("formula", "公式")]
    columns += [both("shape", "形狀"), "FLOPs", *([both("µs", "微秒"), both("share", "比例")] if measured else [])]
    total = sum(row.seconds or 0.0 for row in listing.rows)
    flops = sum(row.flops for row in listing.rows)
    note = both(f"One step of {batch} rows: {flops:,} FLOPs", f"一步 {batch} 列：{flops:,} FLOPs")
    if measured and total:
        note = both(
            f"{note['en']}, {total * 1e6:,.0f} µs on one core of the machine that wrote this report.",
            f"{note['zh']}，在產生本報告的機器上以一個核心費時 {total * 1e6:,.0f} 微秒。",
        )
    if len(listing.rows) > MOST_ROWS:
        more = len(listing.rows) - MOST_ROWS
        note = both(f"{note['en']} {more} more instructions aren't listed.", f"{note['zh']}另有 {more} 個指令未列出。")
    return {
        "id": "program",
        "text": [
            both(
                "The network as it is computed: forward, backward by the chain rule, update. dv is the derivative of "
                "the loss with respect to v.",
                "網路實際的計算：前向、依連鎖律反向、更新。dv 是損失對 v 的導數。",
            )
        ],
        "figures": [
            {
                "kind": "table",
                "title": both("The program", "程式"),
                "note": note,
                "columns": columns,
                "rows": rows,
                "numeric": [True, False, False, False, False, True, *([True, True] if measured else [])],
                "mono": True,
            }
        ],
    }
