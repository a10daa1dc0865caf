// In a class, who opens the page gives a name; the teacher's list shows it with the lessons that are done.
import { h } from "../dom.js";
import { word } from "../words.js";
import { el } from "./widgets.js";

const STORED = "thalweg-pupil"; // for as long as the tab is open: the next pupil at this machine has a name of their own
const NAME = 40; // characters

/**
 * The page's key and the pupil's name, which is asked for the first time.
 * @returns {Promise<{ pupil: string, name: string } | null>} null outside a class
 */
export async function enrolled() {
  if (!("class" in document.body.dataset)) return null;
  const stored = sessionStorage.getItem(STORED);
  if (stored) return JSON.parse(stored);
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const found = { pupil: key, name: await askedName() };
  sessionStorage.setItem(STORED, JSON.stringify(found));
  return found;
}

/** The next time, the name is asked for again. */
export function forget() {
  sessionStorage.removeItem(STORED);
}

/** @returns {Promise<string>} */
function askedName() {
  return new Promise((resolve) => {
    const field = h("input", { id: "pupil-name", required: true, maxlength: NAME, autocomplete: "off" });
    const begin = (/** @type {Event} */ event) => {
      event.preventDefault();
      if (!field.value.trim()) return;
      dialog.remove();
      resolve(field.value.trim());
    };
    const dialog = h("dialog", { class: "dialog dialog-name", "aria-label": word("Your name"), oncancel: (/** @type {Event} */ event) => event.preventDefault() },
      h("form", { onsubmit: begin },
        el("h2", word("Your name")), el("p", word("Your teacher's list shows it, with the lessons that you have done. It is forgotten when the class ends.")),
        el("p.inline", h("label", { for: "pupil-name" }, word("Name")), field, h("button", { type: "submit" }, word("Begin")))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
