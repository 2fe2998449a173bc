/** Short ways to elements. */

/**
 * The one element that must be there.
 * @param {string} selector @param {ParentNode} [within] @returns {HTMLElement}
 */
export function one(selector, within = document) {
  const found = within.querySelector(selector);
  if (!found) throw new Error(`This page has no ${selector}.`);
  return /** @type {HTMLElement} */ (found);
}

/** @param {string} selector @param {ParentNode} [within] @returns {HTMLElement[]} */
export function all(selector, within = document) {
  return /** @type {HTMLElement[]} */ ([...within.querySelectorAll(selector)]);
}

/**
 * Set an element's words, only when they differ: screen readers announce changes, and an
 * untouched node costs no layout.
 * @param {Element} element @param {string} words
 */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/**
 * A copy of a template's first element.
 * @param {string} selector @returns {HTMLElement}
 */
export function fromTemplate(selector) {
  const template = /** @type {HTMLTemplateElement} */ (/** @type {unknown} */ (one(selector)));
  return /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
}

/**
 * Whether a key press belongs to the element it happened in, not to the page.
 * @param {EventTarget | null} target @returns {boolean}
 */
export function isTyping(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
