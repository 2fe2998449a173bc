/**
 * Words, numbers and moments in the page's language. In English the source is the text; for other
 * languages set-up compiles a script (words/CODE.js) that is loaded before the modules.
 *
 * @type {{plural: (n: number) => number, words: Record<string, string | string[]>} | undefined}
 */
const catalog = globalThis.translations;
const language = document.documentElement.lang || "en";

/** @param {string} message @returns {string} */
export function gettext(message) {
  const found = catalog?.words[message];
  return typeof found === "string" ? found : message;
}

/** @param {string} one @param {string} many @param {number} count @returns {string} */
export function ngettext(one, many, count) {
  const found = catalog?.words[one];
  if (catalog && Array.isArray(found)) return found[catalog.plural(count)];
  return count === 1 ? one : many;
}

/**
 * Fill `%(name)s` from an object.
 * @param {string} text @param {Record<string, string | number>} values @returns {string}
 */
export function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (whole, name) => String(values[name] ?? whole));
}

/** @param {number} value @param {number} decimals @returns {string} without marks for thousands */
export function fixed(value, decimals) {
  return value.toLocaleString(language, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
    useGrouping: false,
  });
}

/** @param {number} value @returns {string} with marks for thousands */
export function grouped(value) {
  return value.toLocaleString(language);
}

/**
 * @param {string} moment as the API writes it
 * @returns {string} day and time in the lab's zone, as pages write them (counting/dates.py)
 */
export function dayAndTime(moment) {
  const parts = new Intl.DateTimeFormat("en", {
    timeZone: document.documentElement.dataset.zone || "UTC",
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  }).formatToParts(new Date(moment));
  const { year, month, day, hour, minute } = Object.fromEntries(
    parts.map(({ type, value }) => [type, value]),
  );
  return `${year}-${month}-${day} ${hour}:${minute}`;
}

/** @param {string} moment as the API writes it @returns {string} hour and minute, in the lab's zone */
export function clockTime(moment) {
  return dayAndTime(moment).slice(-5);
}
