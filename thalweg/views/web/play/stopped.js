// When the worker of a page without a server has ended: why, and a way to go on.
import { said, word } from "../words.js";
import { packed } from "./states.js";
import { button } from "./widgets.js";

/**
 * @param {import("./app.js").App} app
 * @param {any} reason
 */
export function stopped(app, reason) {
  app.tell(word("The training has stopped: {0}", said(reason) || word("the browser has ended it.")));
  app.toast.append(" ", button("restart", word("Start again"), () => restart(app), { class: "switch" }));
}

/** Loads the page anew with the states that it shows. @param {import("./app.js").App} app */
async function restart(app) {
  if (app.sides.length) history.replaceState(null, "", `#state=${await packed({ sides: app.sides.map((side) => side.state) })}`);
  location.reload();
}
