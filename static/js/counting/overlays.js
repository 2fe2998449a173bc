/**
 * What may lie on the picture under the marks: a counting grid, the edges as the counting rule has
 * them, a scale bar. Each draws itself on the one canvas of the marks.
 *
 * @typedef {{x: number, y: number, scale: number}} Frame picture to element: offset, and scale
 * @typedef {{width: number, height: number}} Size
 * @typedef {(context: CanvasRenderingContext2D, frame: Frame, picture: Size, stage: Size) => void}
 *   Layer
 */
import { sizeAt } from "./stamps.js";

/** Columns of the grid: its squares are this part of the picture's longer side. */
const COLUMNS = 8;
const EDGES = ["top", "left", "bottom", "right"];
/** Edges whose cells count, by the study's counting rule. @type {Record<string, string[]>} */
const COUNTED = { all: EDGES, top_left: ["top", "left"], none: [] };
const COUNTED_COLOR = "#0b7a3b";
const LEFT_OUT_COLOR = "#c4161c";
/** The scale bar is as long as fits between these, in pixels of the page. */
const BAR = { least: 55, most: 140 };
const MARGIN = 14;
/** Half the width of a ring, in that of the mark in it. */
const RING = 1.9;

/** @type {Layer} */
export function drawGrid(context, frame, picture) {
  const side = Math.max(picture.width, picture.height) / COLUMNS;
  context.beginPath();
  for (let x = side; x < picture.width; x += side) {
    context.moveTo(frame.x + x * frame.scale, frame.y);
    context.lineTo(frame.x + x * frame.scale, frame.y + picture.height * frame.scale);
  }
  for (let y = side; y < picture.height; y += side) {
    context.moveTo(frame.x, frame.y + y * frame.scale);
    context.lineTo(frame.x + picture.width * frame.scale, frame.y + y * frame.scale);
  }
  stroke(context, "rgb(255 255 255 / 80%)", 2.5);
  stroke(context, "rgb(30 40 60 / 75%)", 1);
}

/** Solid where cut cells count, dashed red where they do not. @param {string} rule @returns {Layer} */
export function edgesOf(rule) {
  const counted = COUNTED[rule] ?? [];
  return (context, frame, picture) => {
    const [left, top] = [frame.x, frame.y];
    const right = left + picture.width * frame.scale;
    const bottom = top + picture.height * frame.scale;
    /** @type {Record<string, number[]>} */
    const lines = {
      top: [left, top, right, top],
      left: [left, top, left, bottom],
      bottom: [left, bottom, right, bottom],
      right: [right, top, right, bottom],
    };
    for (const [edge, [x1, y1, x2, y2]] of Object.entries(lines)) {
      const counts = counted.includes(edge);
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      stroke(context, "#fff", 6);
      context.setLineDash(counts ? [] : [12, 8]);
      stroke(context, counts ? COUNTED_COLOR : LEFT_OUT_COLOR, 3.5);
      context.setLineDash([]);
    }
  };
}

/** A ring around each of these marks. @param {readonly {x: number, y: number}[]} marks @returns {Layer} */
export function ringsOf(marks) {
  return (context, frame) => {
    context.beginPath();
    for (const mark of marks) {
      const [x, y] = [frame.x + mark.x * frame.scale, frame.y + mark.y * frame.scale];
      const radius = RING * sizeAt(frame.scale);
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    stroke(context, "#fff", 4.5);
    stroke(context, "#1c2225", 2);
  };
}

/**
 * The longest length of 1, 2 or 5 times a power of ten that fits.
 * @param {number} micronsPerPixel of the page @returns {number} micrometers
 */
export function barLength(micronsPerPixel) {
  const most = BAR.most * micronsPerPixel;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * (most >= 5 * power ? 5 : most >= 2 * power ? 2 : 1);
}

/** @param {number} micronsPerPixel of the picture @returns {Layer} */
export function scaleBarOf(micronsPerPixel) {
  return (context, frame, _picture, stage) => {
    const micronsHere = micronsPerPixel / frame.scale;
    const microns = barLength(micronsHere);
    const long = microns / micronsHere;
    const right = stage.width - MARGIN;
    const bottom = stage.height - MARGIN;
    context.fillStyle = "rgb(255 255 255 / 88%)";
    context.beginPath();
    context.roundRect(right - long - 12, bottom - 27, long + 18, 33, 6);
    context.fill();
    context.fillStyle = "#1c2225";
    context.fillRect(right - long - 3, bottom - 4, long, 4);
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    const label = microns >= 1000 ? `${microns / 1000} mm` : `${microns} µm`;
    context.fillText(label, right - long / 2 - 3, bottom - 11);
  };
}

/** @param {CanvasRenderingContext2D} context @param {string} color @param {number} width */
function stroke(context, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}
