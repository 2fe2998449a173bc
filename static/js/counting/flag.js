/** The dialog of one field: say that it cannot be read, take that back, and comment. */
import { api } from "../lib/api.js";
import { fromTemplate, one, say } from "../lib/dom.js";
import { dayAndTime, fill, gettext } from "../lib/i18n.js";

/** @typedef {import("./screen.js").Screen} Screen */

export class Flags {
  /** @param {Screen} screen */
  constructor(screen) {
    this.screen = screen;
    /** What the dialog is about. @type {import("./fields.js").Field | null} */
    this.field = null;
    this.dialog = /** @type {HTMLDialogElement} */ (one("#flag"));
    this.form = /** @type {HTMLFormElement} */ (one("[data-flag-form]"));
    this.comment = /** @type {HTMLFormElement} */ (one("[data-comment-form]"));
    this.#on(this.form, (data) => this.#flag(data));
    this.#on(this.comment, (data) => this.#add(data));
    for (const button of this.dialog.querySelectorAll("[data-flag-close]")) {
      button.addEventListener("click", () => this.dialog.close());
    }
    this.dialog.querySelector("[data-lift]")?.addEventListener("click", () => this.#lift());
  }

  /** @param {HTMLFormElement} form @param {(data: Record<string, unknown>) => Promise<void>} act */
  #on(form, act) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await this.#guard(() => act(Object.fromEntries(new FormData(form))));
    });
  }

  /** Show a refusal in the dialog itself. @param {() => Promise<void>} act */
  async #guard(act) {
    const trouble = one("[data-flag-trouble]");
    trouble.hidden = true;
    try {
      await act();
    } catch (error) {
      trouble.hidden = false;
      say(one("[data-words]", trouble), error.message);
    }
  }

  get #address() {
    return `fields/${this.field?.id}/`;
  }

  /** What the screen says of its field. */
  show() {
    const { field, panel } = this.screen;
    if (field !== this.field) this.dialog.close();
    const flag = field?.flag ?? null;
    const by = flag ? { reason: flag.words, name: flag.flagged_by } : {};
    const words = flag ? fill(gettext("Flagged as unreadable by %(name)s: %(reason)s."), by) : "";
    panel.notice("flag", Boolean(flag), [words, flag?.note].filter(Boolean).join(" "));
    const number = field?.comments ?? 0;
    const badge = one("[data-comment-number]");
    badge.hidden = number === 0;
    say(badge, String(number));
    this.form.hidden = Boolean(flag);
    one("[data-flagged]").hidden = !flag;
    say(one("[data-flagged-words]"), words);
  }

  open() {
    const { field, busy } = this.screen;
    if (!field || busy || this.dialog.open) return;
    this.field = field;
    say(one("[data-flag-field]"), field.name);
    one("[data-flag-trouble]").hidden = true;
    this.form.reset();
    this.dialog.showModal();
    this.#guard(() => this.#load());
  }

  async #load() {
    const { results } = await api(`${this.#address}comments/`);
    const rows = results.map((comment) => {
      const row = fromTemplate("#comment-template");
      say(one("[data-author]", row), comment.author);
      say(one("[data-at]", row), dayAndTime(comment.created_at));
      say(one("[data-text]", row), comment.text);
      return row;
    });
    one("[data-comments]").replaceChildren(...rows);
    if (this.field) this.field.comments = results.length;
    this.show();
  }

  /** @param {Record<string, unknown>} data */
  async #flag(data) {
    await api(`${this.#address}flag/`, { method: "POST", json: data });
    this.dialog.close();
    // What was counted here is kept as a draft; nobody is asked for it while the flag holds.
    await this.screen.way.goOn(null, gettext("Flagged."));
  }

  async #lift() {
    await this.#guard(async () => {
      await api(`${this.#address}flag/`, { method: "DELETE" });
      if (this.field) this.field.flag = null;
      this.show();
      this.dialog.close();
    });
  }

  /** @param {Record<string, unknown>} data */
  async #add(data) {
    await api(`${this.#address}comments/`, { method: "POST", json: data });
    this.comment.reset();
    await this.#load();
  }
}
