// The state of one side: by the rules of play/page_state.py.
import { KERNELS } from "./exercise.js";
import { choose, inPython, refused, shortened } from "./sentences.js";

/** @typedef {{ [key: string]: any }} State */
/** @typedef {{ kind: string, [argument: string]: any }} Rule */

/** @param {any} value */
function isNumber(value) {
  return typeof value === "number" && !Number.isNaN(value);
}

/** @param {string} what @param {any} value @returns {any[]} */
export function someList(what, value) {
  if (!Array.isArray(value) || value.length > 1000) throw refused("{what} has to be a list of at most 1,000, got {value}", { what, value: shortened(value) });
  return value;
}

/** @param {string} what @param {any} value @returns {{ [key: string]: any }} */
export function someObject(what, value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw refused("{what} has to be an object, {{…}}, got {value}", { what, value: shortened(value) });
  return value;
}

/** @param {string} what @param {any} value @param {number} low @param {number} high */
export function aNumber(what, value, low, high) {
  if (!isNumber(value) || !(low <= value && value <= high)) throw refused("{what} has to be a number from {low:g} to {high:g}, got {value}", { what, low, high, value: shortened(value) });
  return value;
}

/** @param {string} what @param {any} value @param {number} low @param {number} high */
export function aWhole(what, value, low, high) {
  if (!isNumber(value) || !(low <= value && value <= high) || value !== Math.trunc(value)) {
    throw refused("{what} has to be a whole number from {low} to {high:,}, got {value}", { what, low, high, value: shortened(value) });
  }
  return value;
}

/** @param {string} what @param {any} value @param {number} [depth] @returns {any} */
function numbers(what, value, depth = 0) {
  if (!Array.isArray(value)) return aNumber(what, value, -1e6, 1e6);
  if (depth === 4) throw refused("{what} is nested too deeply", { what });
  return someList(what, value).map((item) => numbers(what, item, depth + 1));
}

/** Checks states by the rules of a site. */
export class Rules {
  /** @param {any} site */
  constructor(site) {
    this.site = site;
    this.rules = site.state;
  }

  /**
   * The state that a page sent; what is absent has its default.
   * @param {any} given
   * @returns {State}
   */
  state(given) {
    const { checks, defaults } = this.rules;
    const keys = Object.keys(someObject("the state", given));
    for (const key of keys) choose("key of the state", key, Object.keys(checks));
    const found = JSON.parse(JSON.stringify(defaults));
    for (const key of keys) found[key] = this.check(checks[key], key, given[key]);
    return found;
  }

  /**
   * A value, if its rule lets it pass.
   * @param {Rule} rule
   * @param {string} what
   * @param {any} value
   * @returns {any}
   */
  check(rule, what, value) {
    switch (rule.kind) {
      case "number": return aNumber(what, value, rule.low, rule.high);
      case "whole": return aWhole(what, value, rule.low, rule.high);
      case "truth":
        if (typeof value !== "boolean") throw refused("{what} has to be true or false, got {value}", { what, value: shortened(value) });
        return value;
      case "text": return this.text(what, value);
      case "passage": return this.passage(what, value);
      case "texts": return someList(what, value).map((item) => this.text(what, item));
      case "one_of": return choose(what, value, rule.names);
      case "list_of": return someList(what, value).map((item) => this.check(rule.of, what, item));
      case "optional": return value === null ? null : this.check(rule.of, what, value);
      case "numbers": return numbers(what, value);
      case "kernel": return typeof value === "string" ? choose(what, value, Object.keys(KERNELS)) : numbers(what, value);
      case "named": return this.named(what, value);
      case "read_data": return this.data(what, value);
      case "read_layers": return this.layers(what, value);
      case "read_output": return this.options(what, value, this.rules.output);
      default: throw new TypeError(`no rule ${rule.kind}`);
    }
  }

  /** A checked value in which each float is { real: v }, as Python tells it from a whole number. @param {Rule} rule @param {any} value @returns {any} */
  marked(rule, value) {
    const each = (/** @type {any} */ rules) => Object.fromEntries(Object.entries(value).map(([key, v]) => [key, key in rules ? this.marked(rules[key], v) : v]));
    if (value === null || typeof value === "string") return value;
    switch (rule.kind) {
      case "number": return { real: value };
      case "numbers": case "kernel": return Array.isArray(value) ? value.map((v) => this.marked(rule, v)) : { real: value };
      case "optional": return this.marked(rule.of, value);
      case "read_state": return each(this.rules.checks);
      case "read_data": return each(this.rules.data[value.name]);
      case "read_layers": return value.map((/** @type {any} */ layer) => this.marked({ kind: "read_layer" }, layer));
      case "read_layer": return each(this.rules.layers[value.kind]);
      case "read_output": return each(this.rules.output);
      case "named": return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, this.marked({ kind: Array.isArray(v) || !Number.isInteger(v) ? "numbers" : "whole" }, v)]));
      default: return value;
    }
  }

  /** @param {string} what @param {any} value */
  text(what, value) {
    const formula = this.site.constants["bounds.FORMULA"];
    if (typeof value !== "string" || !value.trim() || value.length > formula) throw refused("{what} has to be a text of at most {formula} characters, got {value}", { what, formula, value: shortened(value) });
    return value.trim();
  }

  /** @param {string} what @param {any} value */
  passage(what, value) {
    const most = this.site.constants["bounds.TEXT"];
    if (typeof value !== "string" || !value.trim() || value.length > most) throw refused("{what} has to be a text of at most {most} characters, got {value}", { what, most, value: shortened(value) });
    return value.split(/\s+/).filter(Boolean).join(" ");
  }

  /** A name, or an object with one and arguments. @param {string} what @param {any} value */
  named(what, value) {
    if (typeof value === "string") return this.text(what, value);
    const given = someObject(`${what}, if it isn't a name,`, value);
    if (!("name" in given)) throw refused("{what} is a name, or an object with a \"name\", got {given}", { what, given: shortened(given) });
    return Object.fromEntries(Object.entries(given).map(([key, inner]) => [key, this.argument(`${what}'s ${key}`, key, inner)]));
  }

  /** @param {string} what @param {string} key @param {any} value */
  argument(what, key, value) {
    if (["name", "mode", "distribution"].includes(key)) return this.text(what, value);
    if (Array.isArray(value)) return numbers(what, value);
    return value === null || typeof value === "boolean" ? value : aNumber(what, value, -1e9, 1e9);
  }

  /** @param {string} what @param {any} given @param {{ [key: string]: any }} options */
  options(what, given, options) {
    for (const key of Object.keys(someObject(what, given))) choose(`key of ${what}`, key, Object.keys(options));
    return Object.fromEntries(Object.entries(options).map(([key, rule]) => [key, key in given ? this.check(rule, `${what}.${key}`, given[key]) : rule.default]));
  }

  /** @param {string} what @param {any} given */
  data(what, given) {
    const { name = "spiral", ...rest } = someObject(what, given);
    choose("data set", name, Object.keys(this.rules.data));
    return { name, ...this.options(what, rest, this.rules.data[name]) };
  }

  /** @param {string} what @param {any} given */
  layers(what, given) {
    const most = this.site.constants["bounds.HIDDEN_LAYERS"];
    if (someList(what, given).length > most) throw refused("there may be {most} hidden layers at most, got {count}", { most, count: given.length });
    return given.map((/** @type {any} */ layer, /** @type {number} */ n) => {
      const { kind = "dense", ...rest } = someObject(`layer ${n + 1}`, layer);
      choose("kind of layer", kind, Object.keys(this.rules.layers));
      return { kind, ...this.options(`layer ${n + 1}`, rest, this.rules.layers[kind]) };
    });
  }

  /** Whether the network of `before` can go on with its weights. @param {State} state @param {State} before */
  keepsWeights(state, before) {
    return this.rules.anew.every((/** @type {string} */ key) => same(state[key], before[key]));
  }

  /** The keys whose values are others. @param {State} state @param {State} before */
  differences(state, before) {
    return Object.keys(this.rules.checks).filter((key) => !same(state[key], before[key]));
  }
}

/** Whether two values of JSON are equal. @param {any} a @param {any} b */
export function same(a, b) {
  return sorted(a) === sorted(b);
}

/** @param {any} value @returns {string} */
function sorted(value) {
  if (Array.isArray(value)) return `[${value.map(sorted)}]`;
  if (value === null || typeof value !== "object") return inPython(value);
  return `{${Object.keys(value).sort().map((key) => `${key}:${sorted(value[key])}`)}}`;
}
