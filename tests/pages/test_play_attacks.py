"""The live page under what people do: preset after preset, table after table, wishes that can't be."""

import json

from live_page import settled, wait


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


def test_what_cannot_be_exported_is_said(opened, new_page):
    page = opened()
    page.select_option("select[data-key=optimizer]", "adabelief")
    settled(page)
    page.click("#export summary")
    page.click("[data-key=export-keras]")
    page.wait_for_selector(".toast:not([hidden])")
    assert "Keras has no optimizer adabelief" in page.inner_text(".toast")
    new_page.faults[:] = [f for f in new_page.faults if "400" not in f]  # Chromium notes every refusal


def test_a_second_table_is_drawn_over_its_own_columns(opened):
    page = opened()
    upload(page, "first.csv", ["a", "b", "c", "y"])
    page.select_option("select[data-key=axis-0]", "c")
    settled(page)
    upload(page, "second.csv", ["d", "e", "f", "y"])
    assert page.inner_text(".message") == ""
    assert page.input_value("select[data-key=axis-0]") == "d"


def test_an_older_answer_does_not_undo_a_newer_change(opened):
    """The answer to the first change arrives when the second has been sent, and none to that."""
    sent, held, holding = [], [], []

    def route(socket):
        server = socket.connect_to_server()

        def answered(frame):  # frames about pictures pass: without their acknowledgment there would be no answer
            held.append((socket, frame)) if holding and (held or b'"sgd"' in frame) else socket.send(frame)

        socket.on_message(lambda text: (sent.append(json.loads(text)), server.send(text)))
        server.on_message(answered)

    page = opened(route=route)
    holding.append(True)
    page.select_option("select[data-key=optimizer]", "sgd")
    wait(page, lambda: held)
    page.select_option("select[data-key=schedule]", "cosine_decay")
    wait(page, lambda: any("cosine" in str(m.get("state")) for m in sent))
    acknowledged = sum(m["do"] == "ack" for m in sent)
    socket, frame = held.pop(0)
    held.append(None)  # what comes from now on waits
    socket.send(frame)
    wait(page, lambda: sum(m["do"] == "ack" for m in sent) > acknowledged)
    assert "cosine_decay" in page.input_value("select[data-key=schedule]")
    held.remove(None)
    holding.clear()
    while held:
        socket, frame = held.pop(0)
        socket.send(frame)
    settled(page)
    assert page.input_value("select[data-key=schedule]") == "cosine_decay"
    assert page.input_value("select[data-key=optimizer]") == "sgd"
