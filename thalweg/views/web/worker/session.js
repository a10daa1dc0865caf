// One open page, which the session talks to by messages of its worker.
import { encode } from "./encode.js";
import { exported } from "./exports.js";
import { aNumber, aWhole, Rules, someList, someObject } from "./page_state.js";
import { PageSide } from "./page_side.js";
import { choose, inPython, refused, told } from "./sentences.js";
import { readTable, shownTable } from "./table.js";

/** @typedef {import("./course.js").Tools} Tools */

const WANTS = ["surface", "units", "weights", "landscape", "arithmetic", "findings", "reading"];
const DOES = ["state", "play", "pause", "step", "epoch", "reset", "pace", "ack", "select", "want", "draw"];
const DRAWINGS = [8, 28]; // sizes of a drawing

export class Session {
  /**
   * @param {Tools} tools
   * @param {(bytes: ArrayBuffer) => void} post
   * @param {{ lesson?: string | null, preset?: string | null, states?: any[] }} [begins] what the page begins with
   */
  constructor(tools, post, begins = {}) {
    const { site } = tools;
    this.tools = tools;
    this.post = (/** @type {any} */ document) => post(encode(document));
    this.rules = new Rules(site);
    this.count = 0;
    this.uploads = 0;
    /** @type {Map<number, PageSide>} */
    this.sides = new Map();
    const initial = begins.states ?? site.initial;
    const { lesson = null, preset = null } = begins;
    const source = tools.tables.get("source"); // of the command line
    this.post({ hello: { version: site.version, lesson, preset, source: source ? shownTable(source) : null, choices: site.choices, limits: site.limits, session: "", initial } });
    initial.forEach((/** @type {any} */ state, /** @type {number} */ n) => this.side(n).tell({ do: "state", state }));
  }

  /** A side, made when it is first asked for. @param {number} number */
  side(number) {
    let found = this.sides.get(number);
    if (!found) this.sides.set(number, (found = new PageSide(number, this.tools, this.post, () => ++this.count)));
    return found;
  }

  /** Reads a table's file. @param {Uint8Array} bytes @param {string} name */
  upload(bytes, name) {
    try {
      return { table: this.hold((id) => readTable(bytes, name, id, this.tools.site)) };
    } catch (error) {
      return { error: told(error) };
    }
  }

  /** A file of a side: a program, the model. @param {string} kind @param {number} side */
  export(kind, side) {
    try {
      const asked = this.sides.get(side);
      if (asked?.refusedState) return { error: asked.refusedState }; // the course is not what the page shows
      return exported(kind, asked?.course);
    } catch (error) {
      return { error: told(error) };
    }
  }

  /** Keeps a table, of which only the newest are kept; what the page shows of it. @param {(id: string) => import("./table.js").Table} read */
  hold(read) {
    const { tables, site } = this.tools;
    const table = read(`table ${++this.uploads}`);
    tables.set(table.id, table);
    const own = [...tables.keys()].filter((id) => id !== "source");
    for (const id of own.slice(0, -site.constants["bounds.UPLOADS"])) tables.delete(id);
    return shownTable(table);
  }

  /** Reads a message of the page, and passes it to whom it concerns; a wrong one is answered with an error. @param {any} given */
  take(given) {
    let side = 0;
    try {
      const message = read(given, this.rules);
      side = message.side ?? 0;
      this.passOn(message);
    } catch (error) {
      this.side(side).tell({ do: "refuse", error: told(error) });
    }
  }

  /** @param {any} message */
  passOn(message) {
    const { do: what, side } = message;
    if (what === "ack") this.sides.forEach((each) => each.acknowledge(message.frame));
    else if (what === "state" && message.state === null) {
      if (side !== 1) throw refused("only the second side can be taken away");
      this.sides.get(1)?.close();
      this.sides.delete(1);
    } else if (side === undefined) (this.sides.size ? [...this.sides.values()] : [this.side(0)]).forEach((each) => each.tell(message));
    else this.side(side).tell(message);
  }

  close() {
    this.sides.forEach((side) => side.close());
  }
}

/**
 * A message, checked but for its state.
 * @param {any} given
 * @param {Rules} rules
 * @returns {any}
 */
function read(given, rules) {
  const message = someObject("a message", given);
  const what = choose("message", message.do, DOES);
  const some = (/** @type {any} */ value) => value !== undefined && value !== null;
  /** @type {any} */
  const found = { do: what };
  if (some(message.side)) found.side = aWhole("side", message.side, 0, 1);
  if (some(message.serial)) found.serial = aWhole("serial", message.serial, 0, 2 ** 53);
  if (["state", "select", "draw"].includes(what)) found.side ??= 0;
  if (what === "state") found.state = message.state ?? null;
  if (what === "pace") found.epochs = some(message.epochs) ? aNumber("epochs", message.epochs, 0.1, 1e6) : null;
  if (what === "ack") found.frame = aWhole("frame", message.frame, 0, 2 ** 53);
  if (what === "select") found.chosen = Object.fromEntries(["layer", "unit", "row"].filter((key) => some(message[key])).map((key) => [key, aWhole(key, message[key], 0, 1e9)]));
  if (what === "select" && some(message.said)) found.chosen.said = message.said && rules.text("said", message.said);
  if (what === "want") found.what = someList("what", message.what).map((wish) => choose("wish", wish, WANTS));
  if (what === "draw") found.image = drawing(message.image);
  return found;
}

/** A drawing: (side, side) numbers of 0 … 1. @param {any} given @returns {number[][]} */
function drawing(given) {
  const rows = someList("image", given).map((row) => someList("a row of the image", row));
  if (!DRAWINGS.includes(rows.length) || rows.some((row) => row.length !== rows.length)) throw refused("a drawing is 8 × 8 or 28 × 28 numbers, got {value} rows", { value: inPython([rows.length]) });
  return rows.map((row) => row.map((value) => aNumber("a pixel", value, 0, 1)));
}
