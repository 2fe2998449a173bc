/**
 * The stop of a mechanical tally: at 100 or 200 cells of a differential (the slide with this field)
 * keys and clicks add nothing more until the reader goes on.
 */
import { all, one } from "../lib/dom.js";
import { fill, gettext } from "../lib/i18n.js";
import { remember, remembered } from "../lib/remembered.js";

const SOUND = "sound";
const STOP = "stop";

export class Stop {
  /**
   * @param {import("./screen.js").Screen} screen @param {import("./sofar.js").SoFar} soFar
   * @param {import("./bell.js").Bell} bell
   */
  constructor(screen, soFar, bell) {
    this.screen = screen;
    this.soFar = soFar;
    this.bell = bell;
    this.reached = false;
    this.before = 0;
    /** Whether the reader went on past the number in this field. */
    this.passed = false;
    /**
     * What the field held when it came, or when the number was chosen.
     * @type {Record<string, number | null>}
     */
    this.held = {};
    this.select = /** @type {HTMLSelectElement} */ (one("[data-stop]"));
    this.select.value = remembered(STOP, "");
    this.select.addEventListener("change", () => {
      remember(STOP, this.select.value);
      this.begin();
    });
    const sound = /** @type {HTMLInputElement} */ (one("[data-sound]"));
    sound.checked = remembered(SOUND, "") === "on";
    bell.on = sound.checked;
    sound.addEventListener("change", () => {
      remember(SOUND, sound.checked ? "on" : "");
      bell.on = sound.checked;
      bell.tick(1);
    });
    for (const button of all("[data-go-on]")) button.addEventListener("click", () => this.goOn());
  }

  /**
   * What is counted by now stops nothing: only passing the number does. A suggestion that the field
   * opened with passes it like one that is accepted.
   */
  begin() {
    this.passed = false;
    this.held = this.screen.begun ? {} : { ...this.screen.tally.now.numbers };
    this.settle();
  }

  /** What the slide holds has arrived, perhaps after the first cells of this field. */
  settle() {
    const { among, totalBefore } = this.soFar;
    this.before = among.reduce((sum, code) => sum + (this.held[code] ?? 0), totalBefore);
    if (this.before >= Number(this.select.value)) this.#set(false);
    this.changed();
  }

  changed() {
    const { before } = this;
    const at = Number(this.select.value);
    const total = this.soFar.total;
    this.before = total;
    if (!at) return;
    if (total < at) {
      this.passed = false;
      this.#set(false);
    } else if (before < at && !this.reached && !this.passed) {
      this.#set(true, fill(gettext("%(n)s cells counted on this slide."), { n: total }));
      this.bell.stop();
    }
  }

  /** @returns {boolean} whether a key or click may add a cell */
  mayAdd() {
    if (this.reached) this.bell.refused();
    return !this.reached;
  }

  /** @returns {boolean} whether there was a stop */
  goOn() {
    const { reached } = this;
    if (reached) this.passed = true;
    this.#set(false);
    return reached;
  }

  /** @param {boolean} reached @param {string} [words] */
  #set(reached, words) {
    if (reached === this.reached) return;
    this.reached = reached;
    this.screen.panel.notice("stop", reached, words);
  }
}
