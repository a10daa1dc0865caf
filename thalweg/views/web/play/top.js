// The bar at the top: transport, pace, lessons, presets, map, A | B, export, language, theme, help; and the keyboard.
import { h } from "../dom.js";
import { language, setLanguage } from "../settings.js";
import { languageButton, themeButton } from "../switches.js";
import { said, word } from "../words.js";
import { noteOn } from "./contents.js";
import { exportMenu } from "./exports.js";
import { mindMap } from "./mindmap.js";
import { icon } from "./pictures.js";
import { button, el, refill } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

const PACES = [0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, null];
/** Made once: they relabel themselves. @type {Node[]} */
const SWITCHES = [];

/**
 * @param {App} app
 * @param {HTMLElement} panel
 */
export function showTop(app, panel) {
  if (!SWITCHES.length) SWITCHES.push(languageButton(), themeButton());
  const playing = app.playing();
  panel.classList.toggle("is-playing", playing);
  const act = (/** @type {string} */ name) => () => app.send({ do: name });
  const tool = (/** @type {string} */ sign, /** @type {string} */ text, /** @type {string} */ key, /** @type {() => void} */ onclick, /** @type {any} */ more = {}) =>
    button(`tool-${key}`, icon(sign), onclick, { class: "tool", title: `${text} (${key === "space" ? word("space bar") : key})`, "aria-label": text, ...more });
  refill(panel, () => [
    el("div.brand", el("h1", "thalweg"), el("span", app.attendance?.name ?? app.hello?.pupil ?? word("a network you can watch while it learns"))),
    h("div", { class: "transport", role: "group" },
      tool("reset", word("Reset"), "r", act("reset")), tool(playing ? "pause" : "play", playing ? word("Pause") : word("Play"), "space", () => app.toggle(), { id: "play" }),
      tool("step", word("One step"), "s", act("step")), tool("epoch", word("One epoch"), "e", act("epoch")), paceMenu(app)),
    h("div", { class: "tools" },
      button("lessons", word("Lessons"), () => app.toggleLessons(), { class: "switch", "aria-pressed": String(app.showsLessons) }),
      dropdown("presets", word("Things to see"), app.presets.map((p) => button(`preset-${p.id}`, said(p.title), () => app.openPreset(p.id)))),
      button("map", word("The map"), () => showMap(app), { class: "switch" }),
      button("compare", word("A | B"), () => app.toggleCompare(), { class: "switch", title: word("Two settings side by side"), "aria-pressed": String(app.sides.length > 1) }),
      exportMenu(app), SWITCHES, button("help", "?", () => showHelp(app), { class: "switch", "aria-label": word("Help"), title: word("Help") })),
  ]);
}

/** @param {App} app */
function paceMenu(app) {
  const chosen = PACES.indexOf(app.pace) < 0 ? [...PACES.slice(0, -1), app.pace, null] : PACES;
  const select = h("select", { "data-key": "pace", "aria-label": word("Pace"), title: word("Pace"), onchange: () => app.setPace(select.value === "" ? null : Number(select.value)) },
    chosen.map((p) => h("option", { value: p ?? "", selected: p === app.pace }, p === null ? word("as fast as it goes") : word("{0} epochs/s", p))));
  return select;
}

/** @param {string} key @param {string} title @param {HTMLElement[]} items */
function dropdown(key, title, items) {
  const details = h("details", { class: "dropdown", id: `dropdown-${key}` }, h("summary", { class: "switch", "data-key": key }, title));
  details.append(h("div", { class: "dropdown-list", onclick: () => (details.open = false) }, items));
  details.addEventListener("focusout", (/** @type {FocusEvent} */ e) => !details.contains(/** @type {Node | null} */ (e.relatedTarget)) && (details.open = false));
  return details;
}

/** @param {string} title @param {any} content @param {string} kind */
function dialog(title, content, kind) {
  const element = /** @type {HTMLDialogElement} */ (h("dialog", { class: `dialog dialog-${kind}`, "aria-label": title, onclose: () => element.remove(), onclick: (/** @type {MouseEvent} */ e) => e.target === element && element.close() },
    el("div.dialog-head", el("h2", title), h("button", { type: "button", class: "switch", "aria-label": word("Close"), onclick: () => element.close() }, "×")), content));
  document.body.append(element);
  element.showModal();
  return element;
}

/** @param {App} app */
function showHelp(app) {
  const keys = [[word("space bar"), word("play, pause")], ["s", word("one step (a batch)")], ["e", word("to the end of the epoch")], ["r", word("reset")], ["c", "A | B"], ["l", word("language")], ["?", word("this help")]];
  const content = [el("p", word("A network learns here on this machine, step by step, on the real engine. Choose data, change the network or one of the four knobs, and press play. Everything that you see is computed from its weights as they are now.")), el("p", noteOn("network")), el("p", noteOn("surface")), el("p", noteOn("landscape")), el("h3", word("Keyboard")), el("dl.keys", keys.flatMap(([key, text]) => [el("dt", el("kbd", key)), el("dd", text)])),
    el("p.hint", `thalweg ${app.hello?.version ?? ""}`)];
  dialog(word("Help"), content, "help");
}

/** @param {App} app */
function showMap(app) {
  const toKnob = (/** @type {string} */ id) => {
    opened.close();
    const knob = document.getElementById(`knob-${id}`);
    knob?.scrollIntoView({ block: "center" });
    knob?.classList.add("is-shown");
    setTimeout(() => knob?.classList.remove("is-shown"), 1600);
    /** @type {HTMLElement | null | undefined} */ (knob?.querySelector("select, input"))?.focus();
  };
  const opened = dialog(word("The map"), mindMap(app, app.map, toKnob), "map");
}

/** @param {App} app */
export function listenToKeys(app) {
  /** @type {{ [key: string]: () => void }} */
  const acts = {
    " ": () => app.toggle(), s: () => app.send({ do: "step" }), e: () => app.send({ do: "epoch" }), r: () => app.send({ do: "reset" }),
    c: () => app.toggleCompare(), l: () => setLanguage(language() === "en" ? "zh" : "en"), "?": () => showHelp(app),
  };
  let pointed = false; // a button that was clicked keeps the focus: the space bar is still the page's
  document.addEventListener("pointerdown", () => (pointed = true));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") pointed = false;
    const target = /** @type {HTMLElement} */ (event.target);
    const busy = target.matches("input, select, textarea, [contenteditable]") || document.querySelector("dialog[open]");
    const own = event.key === " " && !pointed && target.matches("button, summary, [role=button], .pad");
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || busy || (app.frame && "cl?".includes(event.key.toLowerCase())) || own || event.ctrlKey || event.metaKey || event.altKey || !app.hello) return;
    event.preventDefault();
    act();
  });
}
