/** Tells that another tab or device saved the same field, and lets the reader choose. */
import { one, say } from "../lib/dom.js";
import { clockTime, fill, gettext, ngettext } from "../lib/i18n.js";

/** @typedef {import("./screen.js").Screen} Screen */

export class Conflict {
  /** @param {Screen} screen */
  constructor(screen) {
    this.screen = screen;
    one("[data-use-mine]").addEventListener("click", () => this.useMine());
    one("[data-use-other]").addEventListener("click", () => this.useOther());
  }

  /** Show the field's conflict, or none. */
  show() {
    const { field, panel, saver } = this.screen;
    const conflict = field ? saver.conflicts.get(field.id) : undefined;
    panel.notice("conflict", Boolean(conflict), conflict?.detail ?? "");
    if (!conflict) return;
    const { mine, other } = conflict;
    say(one("[data-version-mine]"), this.#words(mine));
    const at = clockTime(other.saved_at);
    const when = other.state === "submitted" ? gettext("submitted %(at)s") : gettext("saved %(at)s");
    say(one("[data-version-other]"), `${this.#words(other)} (${fill(when, { at })})`);
    one('[data-notice="conflict"]').scrollIntoView({ block: "nearest" });
  }

  /** @param {{counts: Record<string, number>, marks: number}} version */
  #words({ counts, marks }) {
    const numbers = this.screen.types.map(({ code, name }) => `${name} ${counts[code] ?? "–"}`);
    const marked = fill(ngettext("%(n)s mark", "%(n)s marks", marks), { n: marks });
    return [...numbers, marked].join(", ");
  }

  useMine() {
    const { screen } = this;
    if (!screen.field) return;
    screen.saver.resolve(screen.field.id, "mine");
    this.show();
    screen.keepDraft();
  }

  async useOther() {
    const { screen } = this;
    const field = screen.field;
    if (!field) return;
    try {
      const now = await screen.fields.refresh(field.id);
      screen.saver.resolve(field.id, "other");
      Object.assign(field, now);
      if (screen.field === field) screen.start(field);
    } catch (error) {
      screen.panel.notice("trouble", true, error.message);
    }
  }
}
