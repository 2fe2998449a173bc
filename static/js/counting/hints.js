/** Suggested marks that the reader has not marked yet. */

/** @typedef {import("./tally.js").Mark} Mark */

/**
 * How far a mark may lie from the suggestion it settles: an 80th of the picture's width, and in
 * pictures of many cells no more than a sixth of the way from one to the next.
 * @param {{width: number, height: number}} picture @param {number} cells @returns {number} pixels
 */
export function reachOf({ width, height }, cells) {
  const apart = Math.sqrt((width * height) / Math.max(1, cells));
  return Math.max(6, Math.min(width / 80, apart / 6));
}

/**
 * Marks are sorted into squares as wide as the reach, so that thousands of both cost nothing.
 * @param {readonly Mark[]} suggested @param {readonly Mark[]} marks the reader's own
 * @param {number} reach in pixels of the picture @returns {Mark[]}
 */
export function unmarked(suggested, marks, reach) {
  /** @type {Map<string, Mark[]>} */
  const squares = new Map();
  for (const mark of marks) {
    const key = `${Math.floor(mark.x / reach)}:${Math.floor(mark.y / reach)}`;
    const square = squares.get(key);
    if (square) square.push(mark);
    else squares.set(key, [mark]);
  }
  return suggested.filter((hint) => {
    const column = Math.floor(hint.x / reach);
    const row = Math.floor(hint.y / reach);
    for (let dx = -1; dx <= 1; dx += 1) {
      for (let dy = -1; dy <= 1; dy += 1) {
        const square = squares.get(`${column + dx}:${row + dy}`) ?? [];
        if (square.some((mark) => Math.hypot(mark.x - hint.x, mark.y - hint.y) < reach)) return false;
      }
    }
    return true;
  });
}
