/**
 * How the picture is looked at: light, contrast, gamma, a single color, and what lies on it. It
 * changes what the reader sees, never what is stored.
 */
import { all, one, say } from "../lib/dom.js";
import { gettext } from "../lib/i18n.js";
import { remember, remembered } from "../lib/remembered.js";
import { drawGrid, edgesOf, scaleBarOf } from "./overlays.js";

/** @typedef {import("./screen.js").Screen} Screen */

const CHANNELS = ["all", "red", "green", "blue"];
/** Rows of feColorMatrix: the picture as it is, or one color as gray. */
const IDENTITY = "1 0 0 0 0  0 1 0 0 0  0 0 1 0 0  0 0 0 1 0";
/** @type {Record<string, string>} */
const ROWS = { red: "1 0 0 0 0", green: "0 1 0 0 0", blue: "0 0 1 0 0" };

export class View {
  /** @param {Screen} screen @param {import("./heat.js").HeatMap} heat */
  constructor(screen, heat) {
    this.screen = screen;
    this.heat = heat;
    this.panel = one("#view-panel");
    this.form = /** @type {HTMLFormElement} */ (one("[data-view-form]"));
    /** @type {import("./overlays.js").Layer | null} */
    this.scaleBar = null;
    this.edges = edgesOf(screen.root.dataset.rule ?? "");
    for (const name of ["grid", "edges"]) {
      this.#input(name).checked = remembered(`view-${name}`, "") === "on";
    }
    this.form.addEventListener("input", () => this.#apply());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    screen.picture.layers = [
      heat.layer,
      (...given) => this.#input("grid").checked && drawGrid(...given),
      (...given) => this.#input("edges").checked && this.edges(...given),
      (...given) => this.scaleBar?.(...given),
    ];
    this.#apply();
  }

  /** @param {string} name @returns {HTMLInputElement} */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.form.elements.namedItem(name));
  }

  get #channel() {
    return String(new FormData(this.form).get("channel") ?? "all");
  }

  /** A field has come to the screen: its slide says how large a pixel is. */
  async begin() {
    this.heat.show();
    const { field, fields } = this.screen;
    if (!field) return;
    const slide = await fields.slide(field.slide).catch(() => null);
    if (this.screen.field !== field) return;
    const microns = slide?.microns_per_pixel;
    this.scaleBar = microns ? scaleBarOf(microns) : null;
    this.screen.picture.draw();
  }

  toggle() {
    const inside = this.panel.contains(document.activeElement);
    this.panel.hidden = !this.panel.hidden;
    for (const button of all("[data-view]")) {
      button.setAttribute("aria-expanded", String(!this.panel.hidden));
    }
    if (!this.panel.hidden) this.#input("brightness").focus();
    else if (inside) one("button[data-view]").focus();
  }

  /** @returns {boolean} whether it was open */
  close() {
    const open = !this.panel.hidden;
    if (open) this.toggle();
    return open;
  }

  /** @param {"grid" | "edges" | "heat"} name */
  flip(name) {
    const input = this.#input(name);
    input.checked = !input.checked;
    this.#apply();
    const label = input.closest("label")?.querySelector("span")?.textContent ?? "";
    // Not inside the template: what collects the words to translate does not look in there.
    const state = input.checked ? gettext("on") : gettext("off");
    this.screen.panel.announce(`${label}: ${state}`);
  }

  nextChannel() {
    const next = CHANNELS[(CHANNELS.indexOf(this.#channel) + 1) % CHANNELS.length];
    const input = /** @type {HTMLInputElement} */ (one(`[name=channel][value=${next}]`, this.form));
    input.checked = true;
    this.#apply();
    this.screen.panel.announce(input.closest("label")?.textContent?.trim() ?? next);
  }

  /** Light and color as they are in the file; what lies on the picture stays. */
  reset() {
    for (const name of ["brightness", "contrast", "gamma"]) {
      this.#input(name).value = this.#input(name).defaultValue;
    }
    /** @type {HTMLInputElement} */ (one("[name=channel][value=all]", this.form)).checked = true;
    this.#apply();
    this.screen.panel.announce(gettext("The picture is shown as it is."));
  }

  #apply() {
    const [brightness, contrast, gamma] = ["brightness", "contrast", "gamma"].map((name) => {
      const input = this.#input(name);
      say(one(`[data-of="${name}"]`, this.form), input.value);
      return Number(input.value);
    });
    const channel = this.#channel;
    const adjusted = brightness !== 0 || contrast !== 1 || gamma !== 1 || channel !== "all";
    if (adjusted) setFilter({ brightness, contrast, gamma, channel });
    // An element's style set from a script is allowed where inline styles are not.
    this.screen.picture.viewer.drawer.canvas.style.filter = adjusted ? "url(#view-filter)" : "";
    one("[data-adjusted]").hidden = !adjusted;
    for (const name of ["grid", "edges"]) {
      remember(`view-${name}`, this.#input(name).checked ? "on" : "");
    }
    if (this.heat.on !== this.#input("heat").checked) this.heat.set(this.#input("heat").checked);
    this.screen.picture.draw();
  }
}

/**
 * Contrast turns around middle gray, brightness is added in hundredths of full light, and a gamma
 * above 1 lifts the dark parts (SVG's feFuncX: slope and intercept, then the exponent).
 * @param {{brightness: number, contrast: number, gamma: number, channel: string}} how
 */
function setFilter({ brightness, contrast, gamma, channel }) {
  const row = ROWS[channel];
  const matrix = row ? `${row} ${row} ${row} 0 0 0 1 0` : IDENTITY;
  one("#view-filter feColorMatrix").setAttribute("values", matrix);
  const intercept = 0.5 * (1 - contrast) + brightness / 100;
  for (const part of all("#view-filter [type=linear]")) {
    part.setAttribute("slope", String(contrast));
    part.setAttribute("intercept", String(intercept));
  }
  for (const part of all("#view-filter [type=gamma]")) {
    part.setAttribute("exponent", String(1 / gamma));
  }
}
