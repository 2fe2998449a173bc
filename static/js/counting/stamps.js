/**
 * Marks as small pictures, drawn once for each look and size: thousands of them are then laid on
 * the canvas within a frame.
 *
 * @typedef {{shape: string, color: string}} Look
 */
import { outline } from "../lib/shapes.js";

/** Room around a mark for its lines, in CSS pixels. */
const ROOM = 4;
/** Zooming passes through many sizes; those before are not needed again. */
const MOST = 60;

export class Stamps {
  constructor() {
    /** @type {Map<string, HTMLCanvasElement>} */
    this.made = new Map();
  }

  /**
   * @param {Look} look @param {string} kind "own", "apart" or "suggested"
   * @param {number} size half the width, in CSS pixels @param {number} ratio device pixels to each
   * @returns {HTMLCanvasElement} with the mark in its middle
   */
  get(look, kind, size, ratio) {
    const rounded = Math.round(size * 4) / 4;
    const key = [look.shape, look.color, kind, rounded, ratio].join();
    let stamp = this.made.get(key);
    if (!stamp) {
      if (this.made.size >= MOST) this.made.clear();
      stamp = draw(look, kind, rounded, ratio);
      this.made.set(key, stamp);
    }
    return stamp;
  }
}

/** Half the width of a mark, in CSS pixels: it grows with the picture, but less. */
export function sizeAt(/** @type {number} */ scale) {
  return Math.max(5, Math.min(11, 6.5 * Math.sqrt(scale)));
}

/** @param {Look} look @param {string} kind @param {number} size @param {number} ratio */
function draw(look, kind, size, ratio) {
  const stamp = document.createElement("canvas");
  // Corners of the shapes reach up to 1.15 times their size.
  const middle = Math.ceil(size * 1.15) + ROOM;
  stamp.width = Math.round(2 * middle * ratio);
  stamp.height = stamp.width;
  const context = stamp.getContext("2d");
  if (!context) return stamp;
  context.scale(ratio, ratio);
  context.lineJoin = "round";
  outline(context, look.shape, middle, middle, size);
  if (kind === "own") solid(context, look.color);
  else if (kind === "apart") thin(context, look.color);
  else hollow(context, look.color);
  return stamp;
}

/** The reader's own. @param {CanvasRenderingContext2D} context @param {string} color */
function solid(context, color) {
  context.lineWidth = 4;
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.stroke();
  context.lineWidth = 2.5;
  context.strokeStyle = "#fff";
  context.stroke();
  context.fillStyle = color;
  context.fill();
}

/**
 * The reader's own, of a type whose number does not come from its marks: pale, but not dashed.
 * @param {CanvasRenderingContext2D} context @param {string} color
 */
function thin(context, color) {
  context.globalAlpha = 0.65;
  context.lineWidth = 3.5;
  context.strokeStyle = "#fff";
  context.stroke();
  context.lineWidth = 1.5;
  context.strokeStyle = color;
  context.stroke();
}

/**
 * A suggestion: dashed, so that it is never taken for a count.
 * @param {CanvasRenderingContext2D} context @param {string} color
 */
function hollow(context, color) {
  context.lineWidth = 4;
  context.strokeStyle = "rgb(255 255 255 / 85%)";
  context.stroke();
  context.setLineDash([3.5, 2.5]);
  context.lineWidth = 2;
  context.strokeStyle = color;
  context.stroke();
}
