/**
 * The line of files on their way to the server: one after the other, so that the fields of a slide
 * stand in the order of the files, each tried again while the server is away. Knows nothing of the
 * page.
 *
 * @typedef {"waiting" | "sending" | "unpacking" | "added" | "duplicate" | "refused" | "lost" |
 *   "stopped"} Outcome
 */
import { ApiError, api } from "../lib/api.js";
import { fill, gettext } from "../lib/i18n.js";
import { isArchive } from "./files.js";
import { send } from "./send.js";

const TRY_AGAIN = [1000, 2000, 4000, 8000, 15000];
const IMPORT_PACE = 1000;

/** One file. `share` goes from 0 to 1; `field` is the field it became or is already. */
export class Upload {
  /** @param {File} file */
  constructor(file) {
    this.file = file;
    this.name = file.name;
    this.archive = isArchive(file);
    /** @type {Outcome} */
    this.outcome = "waiting";
    this.words = "";
    /** What the server says of a picture that it took. */
    this.remark = "";
    this.share = 0;
    /** @type {number | null} */
    this.field = null;
    /** The server's id of the archive's import while it is unpacked, and what was told of it. */
    this.import = 0;
    this.told = 0;
    this.stopper = new AbortController();
    /** Whether an earlier try got no answer: the server may have taken the file all the same. */
    this.unanswered = false;
    this.begin(1);
  }

  /** @param {number} pictures in it; nothing has become of one yet */
  begin(pictures) {
    this.pictures = pictures;
    /** What became of those of an archive. @type {Outcome[]} */
    this.results = [];
  }

  /** What became of each picture in it; those not unpacked share the fate of their archive. */
  get outcomes() {
    const rest = Math.max(0, this.pictures - this.results.length);
    return [...this.results, .../** @type {Outcome[]} */ (Array(rest).fill(this.outcome))];
  }

  get active() {
    return ["waiting", "sending", "unpacking"].includes(this.outcome);
  }
}

export class Queue {
  /**
   * @param {string} slideId
   * @param {{changed: (upload: Upload) => void, added: (field: any) => void,
   *   unpacked: (results: ArchiveResult[]) => void}} tell
   *
   * @typedef {{name: string, outcome: "added" | "duplicate" | "refused", field: number | null,
   *   message: string}} ArchiveResult
   */
  constructor(slideId, tell) {
    this.slideId = slideId;
    this.tell = tell;
    /** @type {Upload[]} */
    this.waiting = [];
    /** Whether a file is being sent; archives are unpacked beside the line. */
    this.sending = false;
    this.unpacking = 0;
    /** @type {Set<() => void>} */
    this.pauses = new Set();
    addEventListener("online", () => {
      for (const go of this.pauses) go();
    });
  }

  get active() {
    return this.sending || this.unpacking > 0 || this.waiting.length > 0;
  }

  /** @param {Upload} upload */
  add(upload) {
    upload.stopper = new AbortController();
    upload.begin(1);
    this.#set(upload, "waiting", "");
    this.waiting.push(upload);
    this.#next();
  }

  /** @param {Upload} upload */
  stop(upload) {
    if (!upload.active) return;
    this.waiting = this.waiting.filter((other) => other !== upload);
    upload.stopper.abort();
    if (upload.outcome === "waiting") this.#set(upload, "stopped", gettext("Stopped."));
    if (upload.import) api(`imports/${upload.import}/cancel/`, { method: "POST" }).catch(() => {});
  }

  async #next() {
    const upload = this.sending ? undefined : this.waiting.shift();
    if (!upload) return;
    this.sending = true;
    await this.#carry(upload, () => {
      this.#set(upload, "sending", "");
      return upload.archive ? this.#archive(upload) : this.#picture(upload);
    });
    this.sending = false;
    if (upload.import) this.#follow(upload);
    this.tell.changed(upload);
    this.#next();
  }

  /** @param {Upload} upload an archive that the server unpacks */
  async #follow(upload) {
    this.unpacking += 1;
    await this.#carry(upload, () => this.#unpack(upload));
    this.unpacking -= 1;
    this.tell.changed(upload);
  }

  /**
   * Do a step, again and again while the server is away.
   * @param {Upload} upload @param {() => Promise<void>} step
   */
  async #carry(upload, step) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await step();
        return;
      } catch (caught) {
        if (caught instanceof DOMException && caught.name === "AbortError") {
          this.#set(upload, "stopped", gettext("Stopped."));
          return;
        }
        const error = caught instanceof ApiError ? caught : new ApiError(String(caught), 0);
        if (error.passing && error.status !== 429) upload.unanswered = true;
        if (!error.passing || attempt >= TRY_AGAIN.length) {
          await this.#settle(upload, error);
          return;
        }
        this.#set(upload, upload.import ? "unpacking" : "waiting", error.message);
        await this.#pause(TRY_AGAIN[attempt], upload.stopper.signal);
      }
    }
  }

  /** @param {Upload} upload @param {ApiError} error */
  async #settle(upload, error) {
    upload.import = 0;
    upload.field = Number(error.body.id) || null;
    if (await this.#came(upload, error)) return;
    if (error.status === 409) this.#set(upload, "duplicate", error.message);
    else if (error.passing || error.status === 401) this.#set(upload, "lost", error.message);
    else this.#set(upload, "refused", error.message);
  }

  /**
   * Whether the picture is there by an earlier try whose answer was lost; it is added then. The
   * same person's picture of the same name on this slide is taken for that.
   * @param {Upload} upload @param {ApiError} error
   */
  async #came(upload, error) {
    if (error.code !== "duplicate" || !upload.unanswered) return false;
    const field = await api(`fields/${upload.field}/`).catch(() => null);
    if (!field?.is_mine || field.name !== upload.name) return false;
    if (String(field.slide) !== this.slideId) return false;
    this.#set(upload, "added", gettext("Added."));
    this.tell.added(field);
    return true;
  }

  /** @param {Upload} upload */
  async #picture(upload) {
    const field = await send(
      "fields/",
      { slide: this.slideId, image: upload.file },
      this.#following(upload),
    );
    upload.field = field.id;
    upload.remark = field.warning;
    this.#set(upload, "added", upload.remark || gettext("Added."));
    this.tell.added(field);
  }

  /** @param {Upload} upload */
  async #archive(upload) {
    const path = `slides/${this.slideId}/imports/`;
    const made = await send(path, { archive: upload.file }, this.#following(upload));
    upload.import = made.id;
    upload.told = 0;
    upload.begin(made.total);
    this.#set(upload, "unpacking", gettext("Waits to be unpacked"));
  }

  /** @param {Upload} upload */
  async #unpack(upload) {
    const { signal } = upload.stopper;
    for (;;) {
      const job = await api(`imports/${upload.import}/`);
      upload.share = job.progress;
      const news = job.results.slice(upload.told);
      upload.told = job.results.length;
      upload.results = job.results.map((/** @type {ArchiveResult} */ one) => one.outcome);
      if (news.length > 0) this.tell.unpacked(news);
      if (this.#over(upload, job)) return;
      const words = gettext("Unpacking: %(done)s of %(total)s files");
      this.#set(upload, "unpacking", fill(words, { done: job.done, total: job.total }));
      await this.#pause(IMPORT_PACE, signal.aborted ? null : signal);
    }
  }

  /** @param {Upload} upload @param {any} job as the API tells it @returns {boolean} */
  #over(upload, job) {
    const count = (/** @type {string} */ outcome) =>
      job.results.filter((/** @type {ArchiveResult} */ one) => one.outcome === outcome).length;
    if (job.state === "succeeded") {
      const words = gettext(
        "Unpacked: %(added)s added, %(same)s there already, %(refused)s refused.",
      );
      this.#set(upload, "added", fill(words, {
        added: count("added"), same: count("duplicate"), refused: count("refused"),
      }));
    } else if (job.state === "failed") {
      this.#set(upload, "refused", job.error);
    } else if (job.state === "cancelled") {
      const words = gettext("Stopped. %(added)s pictures came in before.");
      this.#set(upload, "stopped", fill(words, { added: count("added") }));
    } else {
      return false;
    }
    upload.import = 0;
    return true;
  }

  /** @param {Upload} upload */
  #following(upload) {
    return {
      signal: upload.stopper.signal,
      onProgress: (/** @type {number} */ share) => {
        upload.share = share;
        this.tell.changed(upload);
      },
    };
  }

  /** @param {Upload} upload @param {Outcome} outcome @param {string} words */
  #set(upload, outcome, words) {
    if (outcome === "waiting" || outcome === "sending") upload.share = 0;
    upload.outcome = outcome;
    upload.words = words;
    this.tell.changed(upload);
  }

  /**
   * @param {number} milliseconds shorter when the network comes back or the upload is stopped
   * @param {AbortSignal | null} signal
   */
  #pause(milliseconds, signal) {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        this.pauses.delete(go);
        resolve(undefined);
      };
      const timer = window.setTimeout(go, milliseconds);
      this.pauses.add(go);
      signal?.addEventListener("abort", go, { once: true });
    });
  }
}
