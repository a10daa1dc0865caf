// The teacher's list of a class: who is there, in which lesson, and which are done.
import { h, save, scroller } from "../dom.js";
import { dataOf } from "../models/worker.js";
import { followSystem, language, onSettings } from "../settings.js";
import { languageButton, themeButton } from "../switches.js";
import { said, tag, word } from "../words.js";
import { el } from "./widgets.js";

const EVERY = 2000; // ms

/** @typedef {{ name: string, lesson: string | null, solved: string[], pages: number }} Pupil */

const lessons = await dataOf("lessons");
const token = new URLSearchParams(location.search).get("token") ?? "";
/** @type {{ pupils: Pupil[], seats: number, address: string } | null} */
let told = null;
let heard = "";
const main = h("main", { class: "class-room" });
const notice = h("p", { class: "toast", role: "status", hidden: true });

/** A lesson of a pupil: done, open, or neither. @param {Pupil} pupil @param {any} lesson */
function standing(pupil, lesson) {
  if (pupil.solved.includes(lesson.id)) return h("td", { class: "is-done", "aria-label": word("done") }, "✓");
  return pupil.pages && pupil.lesson === lesson.id ? h("td", { "aria-label": word("open") }, "…") : el("td");
}

/** @param {Pupil} pupil */
function row(pupil) {
  return h("tr", { class: pupil.pages ? null : "is-away" },
    h("th", { scope: "row" }, pupil.name, !pupil.pages && el("small", word("has left"))), lessons.map((/** @type {any} */ lesson) => standing(pupil, lesson)), el("td", `${pupil.solved.length}/${lessons.length}`),
    el("td", h("button", { type: "button", onclick: () => free(pupil.name) }, pupil.pages ? word("Free the seat") : word("Remove"))));
}

function show() {
  document.title = word("thalweg · class");
  if (!told) return;
  const { pupils, seats, address } = told;
  main.replaceChildren(
    el("p.class-address", word("Pupils open"), " ", el("code", address)),
    el("p.hint", word("{0} of {1} seats are taken.", pupils.filter(({ pages }) => pages).length, seats)),
    scroller({}, el("table", el("caption", word("Lessons done")),
      el("thead", el("tr", h("th", { scope: "col" }, word("Name")), lessons.map((/** @type {any} */ lesson) => h("th", { scope: "col" }, said(lesson.title))), h("th", { scope: "col" }, word("Done")), el("td"))),
      el("tbody", pupils.map(row)))),
    h("button", { type: "button", onclick: saveList }, word("Save as CSV")),
  );
}

/** A cell that no spreadsheet takes for a formula. @param {string | number} value */
function cell(value) {
  const text = String(value);
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

function saveList() {
  const header = [word("Name"), ...lessons.map((/** @type {any} */ lesson) => said(lesson.title))];
  const rows = (told?.pupils ?? []).map((pupil) => [pupil.name, ...lessons.map((/** @type {any} */ lesson) => Number(pupil.solved.includes(lesson.id)))]);
  save([`\ufeff${[header, ...rows].map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`], "class.csv");
}

/** Gives a pupil's seat to others, or takes who has left off the list. @param {string} name */
async function free(name) {
  await fetch(`/class/free?${new URLSearchParams({ token, name })}`, { method: "POST" }).catch(() => null);
  await ask();
}

async function ask() {
  const answer = await fetch(`/class/list?${new URLSearchParams({ token })}`).catch(() => null);
  const text = answer?.ok ? await answer.text() : "";
  notice.hidden = Boolean(text);
  notice.textContent = text ? "" : word("The class has ended, or this machine can't reach it.");
  if (!text || text === heard) return; // a table that is made anew would lose the focus
  [heard, told] = [text, JSON.parse(text)];
  show();
}

async function follow() {
  await ask();
  setTimeout(follow, EVERY);
}

onSettings(() => (document.documentElement.lang = tag(language())));
onSettings(show);
followSystem();
document.body.append(el("header.top", el("div.brand", el("h1", "thalweg"), el("span", word("the class"))), el("div.tools", languageButton(), themeButton())), main, notice);
await follow();
document.body.dataset.ready = "true";
