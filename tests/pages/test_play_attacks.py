"""The live page under what people do: preset after preset, table after table, wishes that can't be."""

from live_page import settled


def preset(page, name):
    page.click("summary[data-key=presets]")
    page.click(f"[data-key=preset-{name}]")
    settled(page)


def upload(page, name, columns):
    rows = [",".join(str((n * row) % 17) for n, _ in enumerate(columns, 1)) for row in range(60)]
    content = "\n".join([",".join(columns), *rows]).encode()
    page.set_input_files("#upload", files=[{"name": name, "mimeType": "text/csv", "buffer": content}])
    page.wait_for_selector(f"[data-key=column-{columns[0]}]")
    settled(page)


def test_the_differences_go_with_the_second_side(opened):
    page = opened(width=400)
    preset(page, "vanishing-sigmoids")
    assert page.is_visible(".differs")
    preset(page, "digits")
    assert page.locator(".side").count() == 1
    assert page.is_hidden(".differs")


def test_what_cannot_be_exported_is_said(opened):
    page = opened()
    page.select_option("select[data-key=optimizer]", "adabelief")
    settled(page)
    page.click("#export summary")
    page.click("[data-key=export-keras]")
    page.wait_for_selector(".toast:not([hidden])")
    assert "Keras has no optimizer adabelief" in page.inner_text(".toast")


def test_a_second_table_is_drawn_over_its_own_columns(opened):
    page = opened()
    upload(page, "first.csv", ["a", "b", "c", "y"])
    page.select_option("select[data-key=axis-0]", "c")
    settled(page)
    upload(page, "second.csv", ["d", "e", "f", "y"])
    assert page.inner_text(".message") == ""
    assert page.input_value("select[data-key=axis-0]") == "d"


GATED = """(() => {
    const Own = Worker;
    window.held = [];
    window.sent = [];
    window.holding = false;
    const sets = (data, name) => new TextDecoder().decode(data).includes(name);
    window.Worker = class extends Own {
        addEventListener(kind, listener) {
            super.addEventListener(kind, kind !== "message" ? listener : (event) => {
                const holds = window.holding && (window.held.length || sets(event.data, '"sgd"'));
                if (holds) window.held.push(() => listener(event));
                else listener(event);
            });
        }
        postMessage(message) {
            window.sent.push(message);
            super.postMessage(message);
        }
    };
})()"""
"""Frames about pictures pass: without their acknowledgment there would be no answer."""


def test_an_older_answer_does_not_undo_a_newer_change(opened):
    """The answer to the first change arrives when the second has been sent, and none to that."""
    page = opened(script=GATED)
    page.evaluate("window.holding = true")
    page.select_option("select[data-key=optimizer]", "sgd")
    page.wait_for_function("() => window.held.length")
    page.select_option("select[data-key=schedule]", "cosine_decay")
    page.wait_for_function("() => window.sent.some(({ state }) => JSON.stringify(state ?? null).includes('cosine'))")
    acknowledged = page.evaluate("window.sent.filter((message) => message.do === 'ack').length")
    page.evaluate("() => { const [first] = window.held.splice(0, 1, () => null); first(); }")
    page.wait_for_function("n => window.sent.filter((message) => message.do === 'ack').length > n", arg=acknowledged)
    assert "cosine_decay" in page.input_value("select[data-key=schedule]")
    page.evaluate("() => { window.holding = false; window.held.splice(0).forEach((pass) => pass()); }")
    settled(page)
    assert page.input_value("select[data-key=schedule]") == "cosine_decay"
    assert page.input_value("select[data-key=optimizer]") == "sgd"
