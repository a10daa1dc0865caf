// The live page begins here.
import { followSystem, language, onSettings, setLanguage } from "../settings.js";
import { tag } from "../words.js";
import { App } from "./app.js";
import { loadPictures } from "./pictures.js";
import { listenToKeys } from "./top.js";

onSettings(() => (document.documentElement.lang = tag(language())));
const asked = new URLSearchParams(location.search).get("language");
if (asked === "en" || asked === "zh") setLanguage(asked); // of the page around this one
document.body.classList.add("play");
followSystem();
await loadPictures();
const app = new App(document.body);
listenToKeys(app);
await app.start().catch((error) => app.tell(String(error.message ?? error)));
