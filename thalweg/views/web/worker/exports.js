// What a page gives away, as files: programs, the model, the state.
import { json, modelFile } from "./model_file.js";
import { program } from "./programs.js";
import { choose, refused } from "./sentences.js";

/** @type {{ [kind: string]: (course: import("./course.js").Course) => string | Uint8Array }} */
const MADE = {
  python: (course) => program(course, false),
  keras: (course) => program(course, true),
  model: modelFile,
  state: ({ rules, state }) => `${json(rules.marked({ kind: "read_state" }, state), true)}\n`,
};

/**
 * A file of a course.
 * @param {string} kind @param {import("./course.js").Course | null | undefined} course
 * @returns {{ name: string, type: string, bytes: Uint8Array }}
 */
export function exported(kind, course) {
  choose("export", kind, Object.keys(MADE));
  if (!course) throw refused("there is no network yet: send a state");
  const content = MADE[kind](course);
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { ...course.tools.site.exports.files[kind], bytes };
}
