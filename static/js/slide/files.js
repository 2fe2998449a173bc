/** The files in what somebody dropped, chose, pasted or photographed. */

const PICTURE = /\.(jpe?g|png|tiff?|bmp|webp|jfif|zip)$/i;
/** What systems and archivers leave behind; nobody means to upload it. */
const LITTER = /^(\.|Thumbs\.db$|desktop\.ini$)/i;

/** @param {File} file @returns {boolean} */
export function isArchive(file) {
  return /\.zip$/i.test(file.name) || /^application\/(x-)?zip/.test(file.type);
}

/**
 * Sort out the files of a folder: pictures are meant, tables and notes beside them are not.
 * @param {File[]} files @returns {{files: File[], leftOut: number}}
 */
export function fromFolder(files) {
  const real = files.filter((file) => !LITTER.test(file.name));
  const wanted = real.filter((file) => PICTURE.test(file.name) || file.type.startsWith("image/"));
  return { files: wanted.sort(byName), leftOut: real.length - wanted.length };
}

/**
 * The files of an input; those of a folder are sorted out, those chosen one by one all count.
 * @param {HTMLInputElement} input @returns {{files: File[], leftOut: number}}
 */
export function fromInput(input) {
  const files = [...(input.files ?? [])];
  if (input.webkitdirectory) return fromFolder(files);
  if (input.hasAttribute("capture")) return { files: files.map(named), leftOut: 0 };
  return { files: files.sort(byName), leftOut: 0 };
}

/**
 * The files of a drop or a paste, folders with everything in them.
 * @param {DataTransfer} data @returns {Promise<{files: File[], leftOut: number}>}
 */
export async function fromTransfer(data) {
  // Entries must be taken before the first await: the list is emptied after the event.
  const items = [...data.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  const loose = items.map((item) => item.getAsFile());
  /** @type {File[]} */
  const files = [];
  let leftOut = 0;
  for (const [index, entry] of entries.entries()) {
    if (entry?.isDirectory) {
      const inside = fromFolder(
        await within(/** @type {FileSystemDirectoryEntry} */ (entry)),
      );
      files.push(...inside.files);
      leftOut += inside.leftOut;
    } else {
      const file = loose[index];
      if (file) files.push(file);
    }
  }
  return { files, leftOut };
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<File[]>} */
async function within(folder) {
  const reader = folder.createReader();
  /** @type {File[]} */
  const files = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const batch = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    // A folder is read about a hundred entries at a time, until none is left.
    if (batch.length === 0) return files;
    for (const entry of batch) {
      if (entry.isDirectory) {
        files.push(...(await within(/** @type {FileSystemDirectoryEntry} */ (entry))));
      } else {
        const file = await new Promise((resolve) =>
          /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(null)),
        );
        if (file) files.push(file);
      }
    }
  }
}

/** @param {File} one @param {File} other */
function byName(one, other) {
  return one.name.localeCompare(other.name, undefined, { numeric: true });
}

/** Cameras of phones call every picture the same. @param {File} file @returns {File} */
function named(file) {
  const now = new Date();
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const clock = `${two(now.getHours())}h${two(now.getMinutes())}m${two(now.getSeconds())}`;
  const suffix = file.name.match(/\.\w+$/)?.[0] ?? ".jpg";
  return new File([file], `camera ${clock}${suffix}`, { type: file.type });
}
