// In a class, who opens the page gives a name; the teacher's list shows it with the lessons that are done.
import { h } from "../dom.js";
import { addressOf } from "../models/served.js";
import { said, word } from "../words.js";
import { el } from "./widgets.js";

const STORED = "thalweg-pupil"; // for as long as the tab is open: the next pupil at this machine has a name of their own
const NAME = 40; // characters

const EVERY = 15000; // ms: so often a page says that it is there

/** What the class's server is told: that the page is there, its lesson, and what is solved. */
export class Attendance {
  /** @param {import("./app.js").App} app @param {{ pupil: string, name: string }} pupil */
  constructor(app, pupil) {
    this.app = app;
    this.pupil = { ...pupil, page: crypto.getRandomValues(new Uint32Array(4)).join("-") };
    /** As the list calls the pupil. @type {string | null} */
    this.name = null;
    this.ended = false;
    this.lost = false; // whether the server doesn't answer
    addEventListener("pagehide", () => this.post({ leaves: true }).catch(() => null));
    addEventListener("pageshow", (event) => event.persisted && this.tell());
  }

  /** @param {{ [key: string]: any }} more */
  post(more) {
    return fetch(addressOf("class/progress"), { method: "POST", body: JSON.stringify({ ...this.pupil, ...more }), keepalive: true });
  }

  /** Asks for a seat; whether there is one. */
  async takeSeat() {
    await this.tell();
    if (this.name !== null) setInterval(() => this.tell(), EVERY);
    return this.name !== null;
  }

  /** Says what is solved; a server that doesn't answer, and that it answers again, is said in the page, which computes on. */
  async tell() {
    if (this.ended) return;
    const { app } = this;
    const answer = await this.post({ lesson: app.lesson?.id ?? null, solved: [...app.done] }).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (!told && !this.lost) app.tell(word("The class has ended, or this machine can't reach it. The page goes on computing."));
    if (told && this.lost) app.tell(word("The class answers again."), true);
    this.lost = !told;
    if (told?.pupil && this.name !== told.pupil) {
      this.name = told.pupil;
      app.changed();
    }
    if (told?.error) this.refused(told.error);
  }

  /** @param {any} error */
  refused(error) {
    this.ended = true;
    if (this.name === null) forget();
    this.app.tell(this.name === null ? word("There is no place left for this page: {0}", said(error)) : word("Your teacher has freed this seat: reload this page to take one again."));
  }
}

/**
 * The page's key and the pupil's name, which is asked for the first time.
 * @param {boolean} [asked] whether this is a class
 * @returns {Promise<{ pupil: string, name: string } | null>} null outside a class
 */
export async function enrolled(asked = false) {
  if (!asked) return null;
  const stored = sessionStorage.getItem(STORED);
  if (stored) return JSON.parse(stored);
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const found = { pupil: key, name: await askedName() };
  sessionStorage.setItem(STORED, JSON.stringify(found));
  return found;
}

/** The next time, the name is asked for again. */
function forget() {
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
