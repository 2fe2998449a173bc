/** Roles of members: the button that saves shows only where another role is chosen. */
import { all, one } from "./lib/dom.js";

for (const form of all("[data-role]")) {
  const select = /** @type {HTMLSelectElement} */ (one("select", form));
  const before = select.value;
  const button = one("button", form);
  button.hidden = true;
  select.addEventListener("change", () => {
    button.hidden = select.value === before;
  });
}
