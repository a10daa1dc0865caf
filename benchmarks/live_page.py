"""How many frames a second of the live page's network reach a browser and are drawn, and what a paused page costs.

`thalweg play` is started as a user starts it and opened in Chromium, without a window and without a graphics card: a
browser on a desk draws faster. Frames are counted by the page as it acknowledges them.

    python -m benchmarks.live_page
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from thalweg.support.printing import lasting_streams

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]


def processor_seconds(process: int) -> float:
    """What a process has used; 0 where there is no /proc."""
    path = Path(f"/proc/{process}/stat")
    if not path.exists():
        return 0.0
    fields = path.read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(seconds: float, rounds: int) -> tuple[list[float], float]:
    """Frames a second of each round, and the share of a core that the server takes while paused."""
    from playwright.sync_api import sync_playwright

    browser_path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser_path is None:
        raise SystemExit("no Chromium on the PATH: install it (Debian: apt install chromium)")
    command = [sys.executable, "-m", "thalweg", "play", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(address)
        page.wait_for_selector(".panel-network canvas")
        page.click("#play")
        page.wait_for_timeout(3000)  # compiles what is new, surveys the landscape
        rates = []
        for _ in range(rounds):
            before, begin = int(page.get_attribute("body", "data-frames") or 0), time.perf_counter()
            page.wait_for_timeout(1000 * seconds)
            after = int(page.get_attribute("body", "data-frames") or 0)
            rates.append((after - before) / (time.perf_counter() - begin))
        page.click("#play")
        page.wait_for_timeout(1000)
        used, begin = processor_seconds(server.pid), time.perf_counter()
        page.wait_for_timeout(1000 * seconds)
        paused = (processor_seconds(server.pid) - used) / (time.perf_counter() - begin)
        browser.close()
        server.send_signal(signal.SIGINT)
        server.wait(60)
    return rates, paused


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_page", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=5, help="of each round (5)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of counting (3)")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    rates, paused = measured(options.seconds, options.rounds)
    print(f"frames a second: median {statistics.median(rates):.0f} of {', '.join(f'{rate:.0f}' for rate in rates)}")
    print(f"a paused page: {paused:.1%} of a core")
    print(f"load before the run {load:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
