/** Where the model saw cells of the chosen type: its count map, half transparent on the picture. */
import { one, say } from "../lib/dom.js";
import { fill, gettext } from "../lib/i18n.js";

/**
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {{step: number, maps: Record<string, HTMLCanvasElement>}} Heat step: pixels of the
 *   picture that a map's point is wide and high
 */

/**
 * The upper part of viridis (Smith & van der Walt 2015): even in lightness for every eye, and far
 * from the reds and violets of stains.
 */
const RAMP = [[49, 104, 142], [53, 183, 121], [253, 231, 37]];
const MOST_OPAQUE = 0.72;

export class HeatMap {
  /** @param {Screen} screen */
  constructor(screen) {
    this.screen = screen;
    this.on = false;
    /** What is shown: field and prediction, and type. */
    this.key = "none yet";
    this.active = "";
    /** @type {Heat | null} */
    this.heat = null;
  }

  /** @param {boolean} on */
  set(on) {
    this.on = on;
    one("[data-heat-legend]").hidden = !on;
    this.show();
  }

  /** Keep up with the screen's field and chosen type, while somebody looks. */
  async show() {
    if (!this.on) return;
    const { field, active, picture } = this.screen;
    const prediction = field?.prediction;
    const key = prediction ? `${field?.id}:${prediction.id}` : "";
    if (key === this.key && active === this.active) return;
    this.active = active;
    if (key !== this.key) this.heat = null;
    if (key && key !== this.key) {
      this.key = key;
      const codes = Object.keys(prediction?.counts ?? {}).sort();
      const heat = await load(`/fields/${field?.id}/count-map/`, codes).catch(() => null);
      if (this.key !== key) return;
      this.heat = heat;
    }
    this.key = key;
    this.#say();
    picture.draw();
  }

  #say() {
    const legend = one("[data-heat-legend]");
    const { types, active } = this.screen;
    const name = types.find((type) => type.code === active)?.name ?? "";
    const words = this.heat?.maps[active]
      ? gettext("where the model sees: %(name)s")
      : gettext("no heat map of this field");
    say(one("[data-words]", legend), fill(words, { name }));
  }

  /** @type {import("./overlays.js").Layer} */
  layer = (context, frame, picture) => {
    const map = this.on ? this.heat?.maps[this.screen.active] : null;
    if (!this.heat || !map) return;
    const scale = this.heat.step * frame.scale;
    context.save();
    // The map's last points may reach beyond the picture's edge.
    context.beginPath();
    context.rect(frame.x, frame.y, picture.width * frame.scale, picture.height * frame.scale);
    context.clip();
    context.imageSmoothingEnabled = true;
    context.drawImage(map, frame.x, frame.y, map.width * scale, map.height * scale);
    context.restore();
  };
}

/**
 * @param {string} address @param {string[]} codes as the maps lie one below the other
 * @returns {Promise<Heat | null>} null where there is none
 */
async function load(address, codes) {
  const answer = await fetch(address, { credentials: "same-origin" });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(String(answer.status));
  const picture = await createImageBitmap(await answer.blob());
  const height = picture.height / codes.length;
  const step = Number(answer.headers.get("X-Map-Step"));
  const maps = codes.map((code, index) => [code, tinted(picture, index * height, height)]);
  return { step, maps: Object.fromEntries(maps) };
}

/** @param {ImageBitmap} picture @param {number} top @param {number} height */
function tinted(picture, top, height) {
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return canvas;
  context.drawImage(picture, 0, -top);
  const pixels = context.getImageData(0, 0, canvas.width, height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const value = pixels.data[at] / 255;
    const place = value * (RAMP.length - 1);
    const low = Math.min(Math.floor(place), RAMP.length - 2);
    for (let c = 0; c < 3; c += 1) {
      pixels.data[at + c] = RAMP[low][c] + (place - low) * (RAMP[low + 1][c] - RAMP[low][c]);
    }
    // The square root lifts what is faint, so that nothing the model counts stays unseen.
    pixels.data[at + 3] = 255 * MOST_OPAQUE * Math.sqrt(value);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
