"""The live page without a server, from a file server and from disk: it trains as in node, under a strict policy."""

import contextlib
import functools
import http.server
import json
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from live_page import SECONDS
from node_page import Course, table

from thalweg.errors import ArgumentError, MissingPackageError
from thalweg.models.loading import load_model
from thalweg.play import scenes
from thalweg.play.pages.site import MARK, write_file, write_site
from thalweg.views.web.encoding import decode

POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"
STEPS = 5
PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
HEARS = """
const Plain = Worker;
window.Worker = class extends Plain {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) window.newest = new Uint8Array(data.slice(0));
    });
  }
};
"""  # what the page is told, before it is


class Files(http.server.SimpleHTTPRequestHandler):
    """A file server as any other, but for its policy."""

    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *ignored):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a site, and its address: not at the root of its host."""
    root = tmp_path_factory.mktemp("www")
    try:
        write_site(root / "some" / "path")
    except MissingPackageError as error:
        pytest.skip(str(error))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=root)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield root / "some" / "path", f"http://127.0.0.1:{server.server_port}/some/path/"
        server.shutdown()


@pytest.fixture
def opened(site, new_page):
    """Opens the site, or another address; whatever it asks for lies in its folder."""

    def open_page(query="", address=None, locale="en-US", **options):
        allowed = (site[1],) if address is None else ("file:", "data:", "blob:")
        page = new_page(allowed=allowed, locale=locale, **options)
        page.add_init_script(HEARS)
        page.goto((address or site[1]) + query)
        page.wait_for_selector("body[data-ready=true]", state="attached")
        page.wait_for_selector(".side[aria-busy=false]", state="attached")  # some lessons hide what they aren't about
        return page

    return open_page


def stepped(page, steps):
    """The newest frame after some steps."""
    for _ in range(steps):
        page.keyboard.press("s")
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:  # the policy forbids to wait for a text that is run as code
        frame = decode(bytes(page.evaluate("Array.from(window.newest)")))
        if frame.get("iteration") == steps and "error" not in frame:
            return frame
        page.wait_for_timeout(20)
    raise AssertionError(f"no frame of step {steps}")


def expected(state, steps, of=None):
    """The loss after them in node, where the training is compared with Python's."""
    course = Course(state, of)
    course.run(steps)
    return course.loss_now


@pytest.mark.parametrize("lesson", scenes.lessons())
def test_lessons_train_as_in_node(lesson, opened):
    page = opened(f"?lesson={lesson}", locale="zh-TW" if lesson == "loss" else "en-US")
    assert page.locator("#task").is_visible()
    frame = stepped(page, STEPS)
    assert frame["loss_now"] == pytest.approx(expected(scenes.lessons()[lesson]["state"], STEPS), rel=1e-5, abs=1e-7)


def test_one_file_from_disk(opened, tmp_path):
    path = tmp_path / "page.html"
    assert write_file(path) == path.stat().st_size < 700_000
    assert write_file(path), "over its former self"
    frame = stepped(opened("?preset=spiral", path.as_uri()), 3)
    state = scenes.presets()["spiral"]["states"][0]
    assert frame["loss_now"] == pytest.approx(expected(state, 3), rel=1e-5)
    path.write_text("my own page")
    with pytest.raises(ArgumentError, match="isn't a live page"):
        write_file(path)


@pytest.mark.parametrize(("language", "name"), [("en", "Pause"), ("zh", "暫停")])
def test_a_frame_in_another_page_learns_at_once(language, name, opened):
    """It has one knob; a unit's arithmetic takes the place of the prediction until the unit is chosen again."""
    page = opened(f"?preset=spiral&frame&language={language}")
    page.get_by_role("button", name=name).wait_for()
    page.locator("[data-readout=epoch] b", has_text=re.compile(r"\d\d")).wait_for()
    assert page.locator(".knob:visible").count() == page.locator("#knob-rate:visible").count() == 1
    page.focus(".panel-network canvas")
    for key, shown, hidden in (
        ("ArrowRight", "surface", "arithmetic"),
        ("Enter", "arithmetic", "surface"),
        ("Enter", "surface", "arithmetic"),
    ):
        page.keyboard.press(key)
        page.locator(f".panel-{shown}:visible").wait_for()
        assert page.locator(f".panel-{hidden}:visible").count() == 0


def test_a_frame_waits_where_motion_is_reduced(opened):
    page = opened("?preset=spiral&frame", reduced_motion="reduce")
    assert stepped(page, 1)["iteration"] == 1


def test_without_simd_and_after_a_crash(site, opened, new_page):
    code = (site[0] / "worker.js").read_text("utf-8")
    page = new_page(allowed=(site[1],), locale="zh-TW")
    page.route("**/worker.js", lambda route: route.fulfill(body=f"WebAssembly.validate = () => false;\n{code}"))
    page.goto(site[1])
    page.get_by_text("SIMD").wait_for()
    page.unroute("**/worker.js")
    page = new_page(allowed=(site[1],), locale="en-US")
    broken = code.replace(
        'if (what === "step")',
        'if (what === "step") setTimeout(() => { throw new Error("tripped"); });\nif (what === "step")',
    )
    page.route("**/worker.js", lambda route: route.fulfill(body=broken))
    page.goto(site[1])
    page.wait_for_selector(".side[aria-busy=false]")
    page.keyboard.press("s")
    page.get_by_text("tripped").wait_for()
    page.unroute("**/worker.js")
    with page.expect_event("load"):  # until then, the side that isn't busy is the one that the click takes away
        page.locator(".toast button").click()
    page.wait_for_selector(".side[aria-busy=false]")
    assert "#state=" in page.url
    new_page.faults[:] = [fault for fault in new_page.faults if "tripped" not in fault]


def test_a_table_of_ones_own(opened):
    """Learned from as the server does, and refused in a sentence if it can't be read."""
    page = opened()
    page.set_input_files("input[type=file]", {"name": "bad.csv", "mimeType": "text/csv", "buffer": b"a,b\n1\n"})
    page.get_by_text("row 1 of bad.csv has 1 cells").wait_for()
    page.set_input_files("input[type=file]", PENGUINS)
    page.locator("[data-key=target]").wait_for()
    page.wait_for_selector(".side[aria-busy=false]")
    frame = stepped(page, 3)
    state = {"data": {"name": "table", "source": "a", "target": "target"}, "layers": [{"activation": "tanh"}] * 2}
    same = expected(state, 3, table(PENGUINS.read_text("utf-8"), "penguins.csv"))
    assert frame["loss_now"] == pytest.approx(same, rel=1e-5)


def test_programs_and_the_model_are_saved(opened, tmp_path):
    page = opened()
    page.wait_for_selector(".side[aria-busy=false]")
    stepped(page, 2)
    for kind, name in {"python": "network.py", "keras": "network_keras.py"}.items():
        page.locator("#export summary").click()
        with page.expect_download() as download:
            page.locator(f"[data-key=export-{kind}]").click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
    assert "import keras" in (tmp_path / "network_keras.py").read_text("utf-8")
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.locator("[data-key=export-model]").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    assert load_model(tmp_path / "model.safetensors").optimizer.iterations == 2
    exec(compile((tmp_path / "network.py").read_text("utf-8"), "exported", "exec"), {"print": lambda *words: None})


def test_a_folder_of_other_files_is_left_alone(site, tmp_path):
    folder, _ = site
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ArgumentError, match="isn't empty"):
        write_site(tmp_path)
    with pytest.raises(ArgumentError, match="is a file"):
        write_site(tmp_path / "mine.txt")
    with contextlib.suppress(FileNotFoundError):
        (folder / "old.js").unlink()
    listed = json.loads((folder / MARK).read_text())["files"]
    (folder / "old.js").write_text("of a former version")
    (folder / MARK).write_text(json.dumps({"files": [*listed, "old.js", "../kept"]}))
    sizes = write_site(folder)
    assert not (folder / "old.js").exists()
    assert sorted(p.name for p in folder.iterdir()) == sorted(sizes)


def test_a_site_is_small_and_tells_nothing_of_its_maker(site):
    folder, _ = site
    packed = {name: size for name, (_, size) in write_site(folder).items()}
    assert sum(packed.values()) - packed["digits.bin"] < 500_000
    home = str(folder.parents[3])
    texts = [p.read_bytes() for p in folder.iterdir()]
    for text in texts:
        assert home.encode() not in text
        assert b"/home/" not in text
        assert b"/root/" not in text
    assert np.frombuffer((folder / "digits.bin").read_bytes(), np.uint8).max() == 16
