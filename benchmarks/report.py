"""The results as Markdown, in both languages: some rows for the READMEs, all of them for docs/compared.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.compare import Best, Contender, duration
from benchmarks.costs import Cost, Share
from benchmarks.scaling import Series
from benchmarks.workloads import Workload

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"

ENGLISH = {
    "work": "time, and how many times thalweg's",
    "label": "{name}, {unit}",
    "a step": "a step",
    "a call": "a call",
    "an epoch of all": "an epoch of all",
    "loses": "thalweg is slower than {all}.",
    "loss": "{peer} on {name} ({ratio:.2f}×)",
    "between losses": "; ",
    "nowhere": "thalweg is nowhere slower than a peer's best.",
    "costs": "784-128-10, batch 128",
    "import": "import of all public names, with the interpreter's start",
    "start": "a program, from its start to its fourth training step",
    "memory": "peak memory of training, data excluded",
    "memory above import": "the same, without the imported libraries",
    "memory convnet": "peak memory of training Keras's simple MNIST convnet, batch 128, data excluded",
    "memory above import convnet": "the same, without the imported libraries",
    "peak": "Measured peak of register-only multiply-adds: {one:,.0f} GFLOP/s on one core, {all:,.0f} on {cores} at "
    "once. Of this peak, thalweg's {name} reaches {products_on_one:.0%} in its products and {step_on_one:.0%} in a "
    "whole step on one core, {products:.0%} and {step:.0%} on all cores at once.",
    "method": "Medians of {rounds} interleaved rounds in one run, each peer at its best setting, after a check that "
    "all compute the same results; {versions}.",
    "eager": "PyTorch ran without torch.compile.",
    "charts": "Ratios as bars; how a step grows with width, batch, depth and lanes",
}
CHINESE = {
    "work": "時間，以及是 thalweg 的幾倍",
    "label": "{name}，{unit}",
    "a step": "每步",
    "a call": "每次呼叫",
    "an epoch of all": "全部網路各一輪",
    "loses": "thalweg 較慢的項目：{all}。",
    "loss": "{name} 慢於 {peer}（{ratio:.2f}×）",
    "between losses": "；",
    "nowhere": "thalweg 在任何一項都不慢於其他函式庫的最佳設定。",
    "costs": "784-128-10，批次 128",
    "import": "import 所有公開名稱（含直譯器啟動）",
    "start": "程式從啟動到完成四個訓練步驟",
    "memory": "訓練的記憶體峰值（不含資料）",
    "memory above import": "同上，扣除匯入函式庫所占",
    "memory convnet": "訓練 Keras 的簡單 MNIST 卷積網路（批次 128）的記憶體峰值（不含資料）",
    "memory above import convnet": "同上，扣除匯入函式庫所占",
    "peak": "只在暫存器中做乘加運算，實測峰值為單核心 {one:,.0f} GFLOP/s、{cores} 核心同時 {all:,.0f} GFLOP/s。"
    "thalweg 訓練「{name}」時，單核心的矩陣乘法達到峰值的 {products_on_one:.0%}，整個步驟達到 {step_on_one:.0%}；"
    "全部核心同時則為 {products:.0%} 與 {step:.0%}。",
    "method": "在同一次執行中交替測量 {rounds} 次，取中位數；各函式庫都用自己最快的設定，並先確認結果一致。"
    "{versions}。",
    "eager": "PyTorch 未使用 torch.compile。",
    "charts": "倍數長條圖；一個步驟的時間隨寬度、批次、深度與執行緒數的變化",
}
CHINESE_NAMES = {  # the parts of names of workloads and versions, replaced in this order
    r"Keras's simple MNIST convnet": "Keras 的簡單 MNIST 卷積網路",
    r"residual network": "殘差網路",
    r"(\d+) blocks each": r"每段 \1 個區塊",
    r"convnet: ": "卷積網路：",
    r"convolutions: ": "卷積：",
    r"graphs: ": "圖：",
    r"sequences: ": "序列：",
    r"(LSTM|GRU)s? of ([\d and]+) units, (\d+) steps of (\d+)": r"\1，\2 個單元，\3 步，每步 \4 個數值",
    r"nanoGPT, (\d+) blocks of (\d+), (\d+) letters": r"nanoGPT，\1 個寬 \2 的區塊，\3 個字母",
    r" and (\d+) 個單元": r" 與 \1 個單元",
    r"embedding ([\d,]+×\d+), mean, dense": r"嵌入 \1、平均、全連接",
    r"100 words as in a text": "100 個字詞，頻率如文章",
    r"100 words, all equally frequent": "100 個字詞，頻率相同",
    r"wide and deep, 12 embeddings and 8 numbers": "wide & deep，12 個嵌入與 8 個數值",
    r"autoencoder": "自動編碼器",
    r"transformer block, 64 tokens × 64, 4 heads": "Transformer 區塊，64 個詞元 × 64，4 個注意力頭",
    r"forward and both gradients": "前向傳播與兩個梯度",
    r"forward": "前向傳播",
    r"predict ([\d,]+) rows?": r"預測 \1 列",
    r"fit (\d+) networks ": r"訓練 \1 個網路，",
    r"batch": "批次",
    r"d layers": "d 層",
    r" \(all\)": "（全部）",
    r"([\d,]+) cores": r"\1 核心",
    r"; ": "；",
    r", ": "，",
}
LANGUAGES = [("README.md", "docs/compared.md", ENGLISH), ("README.zh-TW.md", "docs/compared.zh.md", CHINESE)]
HEADLINES = ("5-1 ", "30-64-64-3", "784-", "predict 1 row", "convnet: Keras", "convnet: LeNet")
"""How the names of the workloads begin that the READMEs show."""


@dataclass(frozen=True)
class Report:
    """All measurements of one run."""

    results: Sequence[tuple[Workload, Best]]
    costs: Sequence[Cost]
    share: Share | None
    rounds: int
    versions: str
    cores: int
    series: Sequence[Series] = ()
    compiled: bool = True  # whether torch.compile took part

    @property
    def peers(self) -> list[str]:
        everyone = [peer for _, best in self.results for peer in best]
        everyone += [peer for cost in self.costs for peer in cost.cells]
        return ["thalweg", *(peer for peer in dict.fromkeys(everyone) if peer != "thalweg")]

    def losses(self) -> list[tuple[Workload, str, float]]:
        """Where a peer is faster: (workload, peer, its time as a part of thalweg's)."""
        ratios = [(w, peer, c.median / best["thalweg"].median) for w, best in self.results for peer, c in best.items()]
        return [(w, peer, ratio) for w, peer, ratio in ratios if ratio < 1]

    def scaling_losses(self) -> list[tuple[str, str, float]]:
        """Where a peer is faster in the scaling chart: (network at a size, peer, its time as a part of thalweg's)."""
        ratios = [
            (f"{s.network}, {s.size[0]} = {value}", peer, theirs / ours)
            for s in self.series
            for peer, seconds in s.seconds.items()
            for value, theirs, ours in zip(s.values, seconds, s.seconds["thalweg"], strict=True)
        ]
        return [(network, peer, ratio) for network, peer, ratio in ratios if ratio < 1]

    def markdown(self, words: dict[str, str] = ENGLISH) -> str:
        parts = [self.speed(words)] if self.results else []
        parts += [self.lost(words)] if self.results else []
        parts += [self.other(words)] if self.costs else []
        if self.share is not None:
            s = self.share
            numbers = {
                "products_on_one": s.products_on_one,
                "products": s.products,
                "step_on_one": s.step_on_one,
                "step": s.step,
            }
            parts.append(
                words["peak"].format(
                    one=s.one / 1e9,
                    all=s.all / 1e9,
                    name=translated(s.work.name, words),
                    cores=self.cores,
                    **numbers,
                )
            )
        return "\n\n".join([*parts, self.method(words)])

    def headlines(self, words: dict[str, str]) -> str:
        """A few rows, for a README; where thalweg is slower is told all the same."""
        few = replace(self, results=[(work, best) for work, best in self.results if work.name.startswith(HEADLINES)])
        return "\n\n".join([few.speed(words), self.lost(words), self.method(words)])

    def method(self, words: dict[str, str]) -> str:
        method = words["method"].format(rounds=self.rounds, versions=translated(self.versions, words))
        return method if self.compiled else f"{method} {words['eager']}"

    def speed(self, words: dict[str, str]) -> str:
        peers = [peer for peer in self.peers if any(peer in best for _, best in self.results)]
        lines = [self.line([words["work"], *peers]), "|" + "---|" * (len(peers) + 1)]
        for work, best in self.results:
            ours = best["thalweg"].median
            label = words["label"].format(name=translated(work.name, words), unit=words[work.unit])
            lines.append(self.line([label, duration(ours), *(against(best.get(peer), ours) for peer in peers[1:])]))
        return "\n".join(lines)

    def lost(self, words: dict[str, str]) -> str:
        found = [(work.name, peer, ratio) for work, peer, ratio in self.losses()] + self.scaling_losses()
        lost = [
            words["loss"].format(name=translated(name, words), peer=peer, ratio=ratio) for name, peer, ratio in found
        ]
        return words["loses"].format(all=words["between losses"].join(lost)) if lost else words["nowhere"]

    def other(self, words: dict[str, str]) -> str:
        peers = [peer for peer in self.peers if any(peer in cost.cells for cost in self.costs)]
        lines = [self.line([words["costs"], *peers]), "|" + "---|" * (len(peers) + 1)]
        lines += [self.line([words[c.key], *(c.cells.get(peer, "–") for peer in peers)]) for c in self.costs]
        return "\n".join(lines)

    @staticmethod
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"


def against(contender: Contender | None, ours: float) -> str:
    """A peer's cell: its time, and its ratio to ours."""
    return "–" if contender is None else f"{duration(contender.median)}: {times(contender.median / ours)}"


def times(ratio: float) -> str:
    """A ratio; bold if thalweg is faster."""
    text = f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.1f}×" if ratio >= 1.95 else f"{ratio:.2f}×"
    return f"**{text}**" if ratio >= 1 else text


def translated(name: str, words: dict[str, str]) -> str:
    """A workload's name; its words are replaced, the sizes stay."""
    for pattern, chinese in CHINESE_NAMES.items() if words is CHINESE else ():
        name = re.sub(pattern, chinese, name)
    return name


def write(report: Report) -> None:
    """Replaces what stands between the two marks, in each README and on the page beside it."""
    drawn = [chart for chart in ("speed.svg", "scaling.svg") if (ROOT / "docs" / chart).exists()]
    for readme, page, words in LANGUAGES:
        put(readme, report.headlines(words))
        put(page, "\n\n".join([report.markdown(words), *(f"![{words['charts']}]({chart})" for chart in drawn)]))


def put(name: str, text: str) -> None:
    """Puts a text between the marks of a file."""
    path = ROOT / name
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{name} has no place for the table: it lies between {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
