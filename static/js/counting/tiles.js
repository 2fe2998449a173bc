/** Large pictures in tiles: what the viewer is given, and waiting until the tiles are made. */
import { api } from "../lib/api.js";
import { one, say } from "../lib/dom.js";
import { fill, gettext } from "../lib/i18n.js";
import { poll } from "../lib/poll.js";

/**
 * @typedef {{state: string, progress: number, error: string, url: string, size: number,
 *   overlap: number, first_level: number, last_level: number}} Tiling as the API has it
 * @typedef {{id: number, image: string, width: number, height: number, tiles: Tiling | null}} Tiled
 */

/** Whether tiles are still to come. @param {Tiled} field @returns {boolean} */
export function isBeingCut(field) {
  return ["waiting", "running"].includes(field.tiles?.state ?? "");
}

/** What OpenSeadragon opens: the tiles if there are any, else the whole picture. @param {Tiled} field */
export function sourceOf(field) {
  const { image, width, height, tiles } = field;
  // Smaller copies of the whole make moving smooth, but of a large one they fill the memory.
  if (tiles?.state !== "succeeded") return { type: "image", url: image, buildPyramid: !tiles };
  return {
    width,
    height,
    tileSize: tiles.size,
    tileOverlap: tiles.overlap,
    minLevel: tiles.first_level,
    maxLevel: tiles.last_level,
    /** @param {number} level @param {number} column @param {number} row */
    getTileUrl: (level, column, row) => `${tiles.url}${level}/${column}_${row}.jpg`,
  };
}

/** The file that shows a field at first: worth fetching ahead. @param {Tiled} field */
export function firstFileOf({ image, tiles }) {
  return tiles?.state === "succeeded" ? `${tiles.url}${tiles.first_level}/0_0.jpg` : image;
}

/** Tells of tiles that are being made, and goes over to them when they are. */
export class Tiles {
  /** @param {(field: Tiled) => void} onReady */
  constructor(onReady) {
    this.onReady = onReady;
    this.note = one("[data-tiles]");
    /** @type {Tiled | null} */
    this.field = null;
    /** @type {{stop: () => void} | null} */
    this.polling = null;
    one("[data-tiles-again]", this.note).addEventListener("click", () => this.#askAgain());
  }

  /** A field has come to the screen. @param {Tiled} field */
  begin(field) {
    this.polling?.stop();
    this.field = field;
    this.#tell(field);
    if (!isBeingCut(field)) return;
    this.polling = poll(async () => {
      const now = await api(`fields/${field.id}/`);
      if (this.field !== field) return false;
      field.tiles = now.tiles;
      this.#tell(field);
      if (isBeingCut(field)) return true;
      this.polling?.stop();
      if (field.tiles?.state === "succeeded") this.onReady(field);
      return false;
    });
  }

  /** @param {Tiled} field */
  #tell({ tiles }) {
    this.note.hidden = !tiles || tiles.state === "succeeded";
    one("[data-tiles-again]", this.note).hidden = !["failed", "cancelled"].includes(tiles?.state ?? "");
    say(one("[data-words]", this.note), this.note.hidden ? "" : wordsOf(tiles));
  }

  async #askAgain() {
    const { field } = this;
    if (!field) return;
    try {
      field.tiles = (await api(`fields/${field.id}/tiles/`, { method: "POST" })).tiles;
      if (this.field === field) this.begin(field);
    } catch (error) {
      say(one("[data-words]", this.note), error.message);
    }
  }
}

/** @param {Tiling | null} tiles */
function wordsOf(tiles) {
  if (tiles?.state === "failed") return tiles.error;
  if (tiles?.state === "cancelled") return gettext("This large picture is shown whole and may move slowly.");
  if (!tiles?.progress) return gettext("This large picture is being cut into tiles and may move slowly until then.");
  const words = gettext("This large picture is being cut into tiles (%(n)s %) and may move slowly until then.");
  return fill(words, { n: Math.floor(100 * tiles.progress) });
}
