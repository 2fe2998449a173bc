/**
 * The shapes of cell types, as in static/icons/icons.svg and counting/templatetags/hematally.py:
 * a type is told apart by shape as well as by color.
 */

/** Corners around (0, 0) for a size of 1; a circle has none. @type {Record<string, number[][]>} */
const CORNERS = {
  circle: [],
  square: [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]],
  triangle: [[0, -1.05], [1.05, 0.85], [-1.05, 0.85]],
  diamond: [[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]],
  hexagon: [[-0.55, -0.95], [0.55, -0.95], [1.1, 0], [0.55, 0.95], [-0.55, 0.95], [-1.1, 0]],
  cross: [
    [-0.36, -1.1], [0.36, -1.1], [0.36, -0.36], [1.1, -0.36], [1.1, 0.36], [0.36, 0.36],
    [0.36, 1.1], [-0.36, 1.1], [-0.36, 0.36], [-1.1, 0.36], [-1.1, -0.36], [-0.36, -0.36],
  ],
  down: [[0, 1.05], [-1.05, -0.85], [1.05, -0.85]],
  pentagon: [[0, -1.1], [1.05, -0.34], [0.65, 0.9], [-0.65, 0.9], [-1.05, -0.34]],
};

const ORDER = Object.keys(CORNERS);

/** @param {number} position the cell type's place in the study @returns {string} */
export function shapeAt(position) {
  return ORDER[position % ORDER.length];
}

/**
 * Lay the outline of a shape as the canvas' current path.
 * @param {CanvasRenderingContext2D} context
 * @param {string} shape @param {number} x @param {number} y
 * @param {number} size half the width, in canvas pixels
 */
export function outline(context, shape, x, y, size) {
  context.beginPath();
  const corners = CORNERS[shape] ?? [];
  if (corners.length === 0) {
    context.arc(x, y, size, 0, 2 * Math.PI);
    return;
  }
  corners.forEach(([dx, dy], index) => {
    if (index === 0) context.moveTo(x + dx * size, y + dy * size);
    else context.lineTo(x + dx * size, y + dy * size);
  });
  context.closePath();
}
