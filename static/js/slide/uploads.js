/** The list of uploads on the slide page: a row for each file, and a line that sums them up. */
import { fromTemplate, one, say } from "../lib/dom.js";
import { fill, gettext, ngettext } from "../lib/i18n.js";
import { Queue, Upload } from "./queue.js";

/** Rows kept of what an archive held and did not come in; the sum tells of all. */
const MOST_ROWS = 500;
/** Milliseconds that the row of a picture that came in is still seen. */
const FAREWELL = 1200;

export class Uploads {
  /**
   * @param {string} slideId
   * @param {{added: (field: any) => void, unpacked: () => void}} tell
   */
  constructor(slideId, tell) {
    this.section = one("#uploads");
    this.list = one("[data-upload-list]");
    /** @type {Map<Upload, HTMLElement>} */
    this.rows = new Map();
    this.unpackedRows = 0;
    this.leftOut = 0;
    this.queue = new Queue(slideId, {
      changed: (upload) => this.#changed(upload),
      added: tell.added,
      unpacked: (results) => {
        for (const result of results) this.#unpacked(result);
        tell.unpacked();
      },
    });
    this.drawing = 0;
    one("[data-retry-all]").addEventListener("click", () => this.#retry("lost", "stopped"));
    one("[data-stop-all]").addEventListener("click", () => this.#stopAll());
    one("[data-clear]").addEventListener("click", () => this.#clear());
    addEventListener("online", () => this.#retry("lost"));
    addEventListener("beforeunload", (event) => {
      // The browser asks in its own words; what is under way would be lost.
      if (this.queue.active) event.preventDefault();
    });
  }

  get active() {
    return this.queue.active;
  }

  /** @param {{files: File[], leftOut: number}} found */
  take({ files, leftOut }) {
    this.leftOut += leftOut;
    if (files.length + leftOut === 0) return;
    this.section.hidden = false;
    const uploads = files.map((file) => new Upload(file));
    const rows = document.createDocumentFragment();
    for (const upload of uploads) rows.append(this.#row(upload));
    this.list.append(rows);
    for (const upload of uploads) this.queue.add(upload);
    this.#sum();
  }

  /** @param {Upload} upload @returns {HTMLElement} */
  #row(upload) {
    const row = fromTemplate("#upload-template");
    say(one("[data-name]", row), upload.name);
    one("[data-name]", row).title = upload.name;
    one("[data-retry]", row).addEventListener("click", () => this.queue.add(upload));
    one("[data-cancel]", row).addEventListener("click", () => this.queue.stop(upload));
    this.rows.set(upload, row);
    return row;
  }

  /** @param {Upload} upload */
  #changed(upload) {
    const row = this.rows.get(upload);
    if (!row) return;
    row.dataset.outcome = upload.outcome;
    say(one("[data-words]", row), upload.words || wordsFor(upload));
    const bar = /** @type {HTMLProgressElement} */ (one("[data-bar]", row));
    bar.value = upload.share;
    one("[data-retry]", row).hidden = !["lost", "stopped"].includes(upload.outcome);
    one("[data-cancel]", row).hidden = !upload.active;
    if (upload.field) linkTo(row, upload.field);
    // What came in is seen among the fields; the list keeps what needs a look.
    const settled = upload.outcome === "added" && !upload.archive && !upload.remark;
    if (settled && !row.classList.contains("is-leaving")) {
      row.classList.add("is-leaving");
      setTimeout(() => row.remove(), FAREWELL);
    }
    this.#sum();
  }

  /** @param {import("./queue.js").ArchiveResult} result a file inside an archive */
  #unpacked(result) {
    // What came in is seen among the fields; here stands what did not.
    if ((result.outcome === "added" && !result.message) || this.unpackedRows >= MOST_ROWS) return;
    this.unpackedRows += 1;
    const row = fromTemplate("#upload-template");
    row.dataset.outcome = result.outcome;
    say(one("[data-name]", row), result.name);
    one("[data-name]", row).title = result.name;
    say(one("[data-words]", row), result.message);
    if (result.field) linkTo(row, result.field);
    this.list.append(row);
  }

  /** Sum up at the next frame: many uploads change at once. */
  #sum() {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.#drawSum();
    });
  }

  #drawSum() {
    const uploads = [...this.rows.keys()];
    const under = uploads.filter((upload) => upload.active);
    const again = uploads.filter((upload) => ["lost", "stopped"].includes(upload.outcome));
    // Of an archive its pictures count, not the file.
    const pictures = uploads.flatMap((upload) => upload.outcomes);
    const count = (/** @type {string} */ outcome) =>
      pictures.filter((each) => each === outcome).length;
    const all = pictures.length;
    const done = all - count("waiting") - count("sending") - count("unpacking");
    const parts = [
      fill(gettext("%(done)s of %(all)s files done"), { done, all }),
      part(count("added"), gettext("%(n)s added")),
      part(count("duplicate"), gettext("%(n)s there already")),
      part(count("refused"), gettext("%(n)s refused")),
      part(count("lost"), gettext("%(n)s not sent")),
      part(count("stopped"), gettext("%(n)s stopped")),
      part(this.leftOut, ngettext(
        "%(n)s other file of the folder left out",
        "%(n)s other files of the folder left out",
        this.leftOut,
      )),
    ];
    say(one("[data-upload-sum]"), parts.filter(Boolean).join(" · "));
    const meter = /** @type {HTMLProgressElement} */ (one("[data-upload-meter]"));
    const sent = under.filter((upload) => upload.outcome === "sending");
    meter.max = Math.max(1, all);
    meter.value = done + sent.reduce((sum, upload) => sum + upload.share, 0);
    meter.hidden = !this.active;
    one("[data-retry-all]").hidden = again.length < 2;
    one("[data-stop-all]").hidden = under.length < 2;
    one("[data-clear]").hidden = this.active || uploads.length === 0;
  }

  /** @param {string[]} outcomes of the uploads that are to go again */
  #retry(...outcomes) {
    for (const upload of this.rows.keys()) {
      if (outcomes.includes(upload.outcome)) this.queue.add(upload);
    }
  }

  #stopAll() {
    // Those in line first, so that none of them takes the place of one that is stopped.
    for (const upload of [...this.rows.keys()].reverse()) this.queue.stop(upload);
  }

  #clear() {
    this.rows.clear();
    this.list.replaceChildren();
    this.unpackedRows = 0;
    this.leftOut = 0;
    this.section.hidden = true;
  }
}

/** @param {Upload} upload @returns {string} */
function wordsFor(upload) {
  if (upload.outcome === "waiting") return gettext("In line");
  if (upload.outcome === "sending") return gettext("Uploading…");
  return "";
}

/** @param {number} n @param {string} words */
function part(n, words) {
  return n ? fill(words, { n }) : "";
}

/** Let the name lead to the field. @param {HTMLElement} row @param {number} field */
function linkTo(row, field) {
  const name = one("[data-name]", row);
  if (name.querySelector("a")) return;
  const link = document.createElement("a");
  link.href = `/fields/${field}/`;
  link.textContent = name.textContent;
  name.replaceChildren(link);
}
