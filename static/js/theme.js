/**
 * The theme, chosen per browser: follows the system unless somebody says otherwise.
 * Loaded in the head without `defer`, so that no page flashes in the wrong colors.
 */
(() => {
  const KEY = "hematally:theme";
  const ORDER = ["system", "light", "dark"];
  const root = document.documentElement;

  /** @returns {string} */
  function chosen() {
    try {
      const value = localStorage.getItem(KEY);
      return value && ORDER.includes(value) ? value : "system";
    } catch {
      return "system"; // storage is off in this browser
    }
  }

  /** @param {string} theme */
  function apply(theme) {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  }

  /** @param {HTMLElement} button @param {string} theme */
  function show(button, theme) {
    for (const part of button.querySelectorAll("[data-theme-is]")) {
      part.toggleAttribute("hidden", part.getAttribute("data-theme-is") !== theme);
    }
    const words = button.getAttribute(`data-label-${theme}`) ?? theme;
    button.setAttribute("aria-label", words);
    button.title = words;
  }

  apply(chosen());
  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-toggle]");
    if (!(button instanceof HTMLElement)) return;
    show(button, chosen());
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
      try {
        localStorage.setItem(KEY, next);
      } catch {
        // Without storage the choice lasts for this page.
      }
      apply(next);
      show(button, next);
    });
  });
})();
