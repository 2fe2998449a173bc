/** Buttons that copy what stands in an input: `data-copy` holds its id, `data-done` the thanks. */
import { all, one, say } from "./lib/dom.js";

const THANKS_FOR = 2500;

for (const button of all("[data-copy]")) {
  const label = one("span", button);
  const words = label.textContent ?? "";
  let timer = 0;
  button.addEventListener("click", async () => {
    const input = /** @type {HTMLInputElement} */ (one(`#${button.dataset.copy}`));
    input.select();
    try {
      await navigator.clipboard.writeText(input.value);
    } catch {
      // Without HTTPS browsers hide the clipboard; the old way still works there.
      if (!document.execCommand("copy")) return; // the text is selected: Ctrl+C does it
    }
    say(label, button.dataset.done ?? words);
    clearTimeout(timer);
    timer = window.setTimeout(() => say(label, words), THANKS_FOR);
  });
}
