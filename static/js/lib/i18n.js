/**
 * Words on the page. In English the source is the text; in other languages Django's catalog is
 * loaded before the modules and sets `globalThis.django`.
 */

/** @param {string} message @returns {string} */
export function gettext(message) {
  return globalThis.django?.gettext?.(message) ?? message;
}

/** @param {string} one @param {string} many @param {number} count @returns {string} */
export function ngettext(one, many, count) {
  return globalThis.django?.ngettext?.(one, many, count) ?? (count === 1 ? one : many);
}

/**
 * Fill `%(name)s` from an object.
 * @param {string} text @param {Record<string, string | number>} values @returns {string}
 */
export function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (whole, name) => String(values[name] ?? whole));
}
