// The live page begins here.
import { followSystem, onSettings, setLanguage, language } from "../settings.js";
import { tag } from "../words.js";
import { App } from "./app.js";
import { loadPictures } from "./pictures.js";
import { listenToKeys } from "./top.js";

onSettings(() => (document.documentElement.lang = tag(language())));
setLanguage(navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
document.body.classList.add("play");
followSystem();
await loadPictures();
const app = new App(document.body);
listenToKeys(app);
await app.start();
