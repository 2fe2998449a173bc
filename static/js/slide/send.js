/** Send one file with its progress; fetch cannot tell how far an upload is. */
import { API, csrfToken, errorFrom, noAnswer } from "../lib/api.js";

/**
 * @param {string} path below /api/v1/
 * @param {Record<string, string | File>} parts of the form
 * @param {{signal: AbortSignal, onProgress: (share: number) => void}} options
 * @returns {Promise<any>} the answer's JSON
 * @throws {import("../lib/api.js").ApiError | DOMException} AbortError when it was stopped
 */
export function send(path, parts, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const stopped = () => new DOMException("Stopped", "AbortError");
    if (signal.aborted) {
      reject(stopped());
      return;
    }
    const form = new FormData();
    for (const [name, part] of Object.entries(parts)) form.append(name, part);
    const request = new XMLHttpRequest();
    request.open("POST", API + path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      let body = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // An error page of a proxy; the status says enough.
      }
      if (request.status >= 200 && request.status < 300) resolve(body);
      else reject(errorFrom(request.status, body));
    });
    request.addEventListener("error", () => reject(noAnswer()));
    request.addEventListener("abort", () => reject(stopped()));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}
