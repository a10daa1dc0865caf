// A static page: its data stand in the file, deflated.
import { h } from "./dom.js";
import { drawFigure } from "./figures/index.js";
import { staticModel, unpacked } from "./models/static.js";
import { followSystem, language, onSettings, setLanguage } from "./settings.js";
import { languageButton, themeButton } from "./switches.js";
import { said, tag, word } from "./words.js";

/**
 * Shows the whole document in the body of the page.
 * @param {PageDocument} report
 */
function show(report) {
  const model = staticModel({ document: report });
  const title = h("h1", {});
  const contents = h("nav", { class: "contents" });
  const list = h("ol", {});
  const heading = h("p", { class: "contents-title" });
  contents.append(heading, list);
  const main = h("main", { id: "top" });
  /** @type {(() => void)[]} */
  const labels = [];
  labels.push(() => {
    title.textContent = document.title = said(report.title);
    heading.textContent = word("Contents");
    contents.setAttribute("aria-label", word("Contents"));
    document.documentElement.lang = tag(language());
  });
  for (const section of report.sections) {
    const link = h("a", { href: `#${encodeURIComponent(section.id)}` });
    const name = h("h2", {});
    const words = h("div", { class: "section-text" });
    const figures = h("div", { class: "figures" });
    list.append(h("li", {}, link));
    main.append(h("section", { id: section.id }, name, words, figures));
    labels.push(() => {
      name.textContent = link.textContent = said(section.title);
      words.replaceChildren(...(section.text ?? []).map((text) => h("p", {}, said(text))));
    });
  }
  const relabel = () => labels.forEach((label) => label());
  relabel();
  onSettings(relabel);
  const header = h("header", { class: "head" }, title, h("div", { class: "switches" }, languageButton(), themeButton()));
  document.body.append(header, h("div", { class: "columns" }, contents, main));
  report.sections.forEach((section, n) => {
    const place = /** @type {HTMLElement} */ (main.children[n].querySelector(".figures"));
    for (const figure of section.figures ?? []) drawFigure(place, figure, model);
  });
  follow(contents, main);
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

/**
 * The contents mark the section that is being read.
 * @param {HTMLElement} contents
 * @param {HTMLElement} main
 */
function follow(contents, main) {
  const links = [...contents.querySelectorAll("a")];
  const seen = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? seen.add(entry.target) : seen.delete(entry.target);
    const first = [...main.children].findIndex((section) => seen.has(section));
    links.forEach((link, n) => (n === first ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  }, { rootMargin: "-15% 0px -60% 0px" });
  for (const section of main.children) observer.observe(section);
}

const stored = /** @type {HTMLElement} */ (document.getElementById("document"));
const opened = await unpacked(stored.textContent ?? "");
stored.remove();
if (opened.language) setLanguage(opened.language);
followSystem();
show(opened);
document.body.dataset.ready = "true";
