/** Buttons that print the page. They show only where there is a script to do it. */
import { all } from "./lib/dom.js";

for (const button of all("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
