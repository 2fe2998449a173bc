/** The banner that says when a part of the program does not answer, and goes when it does again. */
import { ApiError, api } from "./lib/api.js";
import { one, say } from "./lib/dom.js";
import { poll } from "./lib/poll.js";

const PACE = { busy: 4000, idle: 12000 };

const banner = one("[data-health]");

/** @param {string} words none when all is well */
function show(words) {
  say(one("[data-health-message]", banner), words);
  banner.hidden = !words;
}

const watch = poll(async () => {
  let words = "";
  try {
    words = (await api("status/")).message;
  } catch (error) {
    words = error instanceof ApiError ? error.message : "";
  }
  show(words);
  return Boolean(words);
}, PACE);
addEventListener("online", () => watch.now());
addEventListener("offline", () => watch.now());
