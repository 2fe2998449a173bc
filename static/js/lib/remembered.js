/** Choices of a person, kept in this browser; without storage they last for this page. */

const PREFIX = "hematally:";
/** @type {Map<string, string>} */
const here = new Map();

/** @param {string} name @param {string} otherwise @returns {string} */
export function remembered(name, otherwise) {
  try {
    return localStorage.getItem(PREFIX + name) ?? here.get(name) ?? otherwise;
  } catch {
    return here.get(name) ?? otherwise;
  }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  here.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Kept above, for as long as the page is open.
  }
}
