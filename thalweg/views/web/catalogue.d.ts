// catalogue.js is made from thalweg/words/zh.po: by bundle.py for a file, by the live page's server for its modules.
export const CHINESE: { [english: string]: string };
