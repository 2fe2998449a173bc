/** The JSON API, with errors as sentences. */
import { gettext } from "./i18n.js";

export const API = "/api/v1/";

/** An answer that is not a success; `message` is a sentence for the person at the screen. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 when no answer came
   * @param {string} code
   * @param {Record<string, unknown>} body
   */
  constructor(message, status, code = "", body = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.body = body;
  }

  /** Whether trying the same again later can help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** @returns {string} */
export function csrfToken() {
  const found = document.cookie.match(/(?:^|;\s*)hematally_csrf=([^;]+)/);
  return found ? decodeURIComponent(found[1]) : "";
}

/** @param {number} status @param {unknown} body @returns {ApiError} */
export function errorFrom(status, body) {
  const plain = /** @type {Record<string, unknown>} */ (
    body && typeof body === "object" ? body : {}
  );
  const code = String(plain.code ?? "");
  if (status === 401) {
    return new ApiError(
      gettext("You are signed out. Sign in again in another tab; nothing here is lost."),
      401,
      code,
      plain,
    );
  }
  const sentence = typeof plain.detail === "string" ? plain.detail : "";
  const words =
    sentence ||
    (status >= 500
      ? gettext("The server had a fault. Nothing is lost; it is tried again.")
      : gettext("The server refused this. Load the page again."));
  return new ApiError(words, status, code, plain);
}

export function noAnswer() {
  return new ApiError(
    gettext("The server does not answer. Nothing is lost; it is tried again."),
    0,
    "no_answer",
  );
}

/**
 * Ask the API.
 * @param {string} path below /api/v1/, or a whole address of this site
 * @param {{method?: string, json?: unknown, body?: BodyInit, signal?: AbortSignal}} [options]
 * @returns {Promise<any>} the answer's JSON, null when it has none
 */
export async function api(path, options = {}) {
  const headers = new Headers({ Accept: "application/json" });
  const method = options.method ?? "GET";
  let body = options.body;
  if (options.json !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(options.json);
  }
  if (method !== "GET") headers.set("X-CSRFToken", csrfToken());
  let response;
  let text;
  try {
    response = await fetch(path.startsWith("/") ? path : API + path, {
      method,
      headers,
      body,
      signal: options.signal,
      credentials: "same-origin",
    });
    text = await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw noAnswer();
  }
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    // An error page of a proxy; the status says enough.
  }
  if (!response.ok) throw errorFrom(response.status, answer);
  return answer;
}
