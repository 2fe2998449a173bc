/**
 * The picture: OpenSeadragon for zoom and pan, one canvas above it for all marks, and taps turned
 * into places in pixels of the picture.
 *
 * @typedef {import("./tally.js").Mark} Mark
 * @typedef {import("./stamps.js").Look} Look
 * @typedef {{mark: Mark, x: number, y: number}} Moved
 */
import { Stamps, sizeAt } from "./stamps.js";
import { sourceOf } from "./tiles.js";

/** How near a tap must be to a mark to mean it, in CSS pixels: finger and mouse. */
const REACH = { touch: 22, mouse: 12 };
const SETTINGS = {
  drawer: "canvas",
  showNavigationControl: false,
  crossOriginPolicy: false,
  animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.35,
  springStiffness: 9,
  visibilityRatio: 0.7,
  constrainDuringPan: true,
  minZoomImageRatio: 0.9,
  maxZoomPixelRatio: 8,
  zoomPerScroll: 1.25,
  preserveImageSizeOnResize: true,
};
const GESTURES = {
  clickToZoom: false,
  dblClickToZoom: false,
  dblClickDragToZoom: false,
  pinchToZoom: true,
  scrollToZoom: true,
  flickEnabled: false,
};

export class Picture {
  /**
   * @param {HTMLElement} element
   * @param {Record<string, Look>} looks by cell type
   * @param {string} label what a screen reader says of the picture
   */
  constructor(element, looks, label) {
    this.element = element;
    this.looks = looks;
    /** @type {readonly Mark[]} */
    this.marks = [];
    /** @type {readonly Mark[]} */
    this.suggested = [];
    /** @type {Set<string>} types whose marks do not add up to the number */
    this.faded = new Set();
    /** @type {import("./overlays.js").Layer[]} what lies under the marks, lowest first */
    this.layers = [];
    this.stamps = new Stamps();
    /** @type {{key: string, marks: readonly Mark[]} | null} what is on the canvas */
    this.drawn = null;
    this.visible = true;
    this.width = 1;
    this.height = 1;
    /** The mark that a pointer drags, and where it is. @type {Moved | null} */
    this.moving = null;
    /** The mark that keys carry. @type {Moved | null} */
    this.carried = null;
    this.dragged = false;
    /** @type {(x: number, y: number, hit: number, hint: number, change: boolean) => void} */
    this.onTap = () => {};
    /** Without it marks stay where they are. @type {((i: number, x: number, y: number) => void) | null} */
    this.onMove = null;

    const gestures = ["Mouse", "Touch", "Pen", "Unknown"].map((kind) => [
      `gestureSettings${kind}`,
      GESTURES,
    ]);
    forbidStyles();
    this.viewer = new globalThis.OpenSeadragon.Viewer({
      element,
      ...SETTINGS,
      ...Object.fromEntries(gestures),
    });
    // Keys are ours: OpenSeadragon's own would clash with the tally keys.
    this.viewer.innerTracker.keyHandler = null;
    this.viewer.innerTracker.keyDownHandler = null;
    this.viewer.canvas.setAttribute("role", "img");
    this.viewer.canvas.setAttribute("aria-label", label);

    this.canvas = document.createElement("canvas");
    this.canvas.className = "marks";
    this.canvas.setAttribute("aria-hidden", "true");
    this.viewer.container.append(this.canvas);
    this.#listen();
  }

  #listen() {
    const viewer = this.viewer;
    for (const name of ["update-viewport", "resize", "open"]) {
      viewer.addHandler(name, () => this.draw());
    }
    new ResizeObserver(() => this.draw()).observe(this.element);
    viewer.addHandler("canvas-press", (event) => {
      this.dragged = false;
      const reach = reachOf(event.originalEvent);
      const movable = this.visible && this.onMove;
      const index = movable ? this.#nearest(this.marks, event.position, reach) : -1;
      const mark = this.marks[index];
      this.moving = mark ? { mark, x: mark.x, y: mark.y } : null;
    });
    viewer.addHandler("canvas-drag", (event) => {
      this.dragged = true;
      if (!this.moving) return;
      event.preventDefaultAction = true;
      Object.assign(this.moving, this.#inside(this.#toPicture(event.position)));
      this.draw();
    });
    viewer.addHandler("canvas-drag-end", (event) => {
      if (!this.moving) return;
      event.preventDefaultAction = true;
      const { mark, x, y } = this.moving;
      this.moving = null;
      this.onMove?.(this.marks.indexOf(mark), x, y);
    });
    viewer.addHandler("canvas-release", () => {
      // A press without a drag is a tap; what was pressed is not moved.
      queueMicrotask(() => {
        this.moving = null;
      });
    });
    viewer.addHandler("canvas-click", (event) => {
      if (this.dragged && !event.quick) return;
      const place = this.#toPicture(event.position);
      if (!this.#isInside(place)) return;
      const reach = reachOf(event.originalEvent);
      const hit = this.visible ? this.#nearest(this.marks, event.position, reach) : -1;
      const hint = this.visible ? this.#nearest(this.suggested, event.position, reach) : -1;
      // Holding a mark, or a click with Alt or Shift, changes its type; a long press elsewhere is
      // no click.
      const { altKey, shiftKey } = event.originalEvent ?? {};
      const change = hit >= 0 && (!event.quick || altKey || shiftKey);
      if (event.quick || change) this.onTap(place.x, place.y, hit, hint, change);
    });
  }

  /**
   * Show a picture.
   * @param {import("./tiles.js").Tiled} field @returns {Promise<void>}
   */
  open(field) {
    this.width = field.width;
    this.height = field.height;
    this.marks = [];
    this.suggested = [];
    this.moving = null;
    return new Promise((resolve, reject) => {
      this.viewer.addOnceHandler("open", () => resolve());
      this.viewer.addOnceHandler("open-failed", () => reject(new Error("open-failed")));
      this.viewer.open(sourceOf(field));
    });
  }

  /**
   * Go over to the tiles of the picture that is shown: nothing moves.
   * @param {import("./tiles.js").Tiled} field
   */
  refine(field) {
    const tileSource = sourceOf(field);
    if (!this.#ready()) this.viewer.open(tileSource);
    else this.viewer.addTiledImage({ tileSource, index: 0, replace: true });
  }

  /** Show the same part as another picture of this field does. @param {Picture} other */
  follow(other) {
    if (!this.#ready() || !other.#ready()) return;
    const [here, there] = [this.viewer.viewport, other.viewer.viewport];
    const center = there.getCenter(true);
    const zoom = there.getZoom(true);
    if (here.getCenter(false).equals(center) && here.getZoom(false) === zoom) return;
    here.zoomTo(zoom, undefined, true).panTo(center, true);
  }

  /** @param {number} factor */
  zoom(factor) {
    this.viewer.viewport.zoomBy(factor).applyConstraints();
  }

  /** @param {number} dx @param {number} dy in parts of what is seen */
  pan(dx, dy) {
    const seen = this.viewer.viewport.getBounds();
    const by = new globalThis.OpenSeadragon.Point(dx * seen.width, dy * seen.height);
    this.viewer.viewport.panBy(by).applyConstraints();
  }

  fit() {
    this.viewer.viewport.goHome();
  }

  /** @returns {{x: number, y: number, width: number, height: number}} the part of it that is seen */
  seen() {
    if (!this.#ready()) return { x: 0, y: 0, width: this.width, height: this.height };
    const { x, y, scale } = this.#frame();
    const { clientWidth, clientHeight } = this.element;
    const start = this.#inside({ x: -x / scale, y: -y / scale });
    const end = this.#inside({ x: (clientWidth - x) / scale, y: (clientHeight - y) / scale });
    return { ...start, width: end.x - start.x, height: end.y - start.y };
  }

  /** @param {number} x @param {number} y @returns {{x: number, y: number} | null} in the element */
  toStage(x, y) {
    if (!this.#ready()) return null;
    const frame = this.#frame();
    return { x: frame.x + x * frame.scale, y: frame.y + y * frame.scale };
  }

  /** @param {number} x @param {number} y @returns {{hit: number, hint: number}} marks there, or -1 */
  at(x, y) {
    const position = this.visible ? this.toStage(x, y) : null;
    if (!position) return { hit: -1, hint: -1 };
    const near = (marks) => this.#nearest(marks, position, REACH.mouse);
    return { hit: near(this.marks), hint: near(this.suggested) };
  }

  /** Move the picture, if that is needed to see a place. @param {number} x @param {number} y */
  reveal(x, y) {
    const seen = this.seen();
    const inside = x >= seen.x && y >= seen.y && x <= seen.x + seen.width && y <= seen.y + seen.height;
    if (inside || !this.#ready()) return;
    const place = this.viewer.world.getItemAt(0).imageToViewportCoordinates(x, y);
    this.viewer.viewport.panTo(place).applyConstraints();
  }

  #ready() {
    return this.viewer.isOpen() && this.viewer.world.getItemCount() > 0;
  }

  /** Scale and offset from pixels of the picture to pixels of the element; it is never turned. */
  #frame() {
    const item = this.viewer.world.getItemAt(0);
    const point = globalThis.OpenSeadragon.Point;
    const start = item.imageToViewerElementCoordinates(new point(0, 0));
    const end = item.imageToViewerElementCoordinates(new point(this.width, this.height));
    return { x: start.x, y: start.y, scale: (end.x - start.x) / this.width };
  }

  /** @param {{x: number, y: number}} position in the element */
  #toPicture(position) {
    if (!this.#ready()) return { x: -1, y: -1 };
    const frame = this.#frame();
    return { x: (position.x - frame.x) / frame.scale, y: (position.y - frame.y) / frame.scale };
  }

  /** @param {{x: number, y: number}} place */
  #isInside(place) {
    return place.x >= 0 && place.y >= 0 && place.x <= this.width && place.y <= this.height;
  }

  /** @param {{x: number, y: number}} place */
  #inside(place) {
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    return { x: clamp(place.x, this.width), y: clamp(place.y, this.height) };
  }

  /**
   * @param {readonly Mark[]} marks @param {{x: number, y: number}} position @param {number} reach
   * @returns {number} index of the nearest mark within reach, else -1
   */
  #nearest(marks, position, reach) {
    if (!this.#ready()) return -1;
    const frame = this.#frame();
    let best = -1;
    let least = reach;
    marks.forEach((mark, index) => {
      const dx = frame.x + mark.x * frame.scale - position.x;
      const dy = frame.y + mark.y * frame.scale - position.y;
      const distance = Math.hypot(dx, dy);
      if (distance <= least) {
        best = index;
        least = distance;
      }
    });
    return best;
  }

  draw() {
    const ratio = globalThis.devicePixelRatio || 1;
    const width = Math.round(this.element.clientWidth * ratio);
    const height = Math.round(this.element.clientHeight * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const context = this.canvas.getContext("2d");
    if (!context) return;
    this.drawn = null;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!this.#ready()) return;
    const frame = this.#frame();
    const stage = { width: this.element.clientWidth, height: this.element.clientHeight };
    for (const layer of this.layers) layer(context, frame, this, stage);
    if (!this.visible) return;
    const size = sizeAt(frame.scale);
    const put = this.#stamper(context, frame, stage);
    for (const mark of this.suggested) put(mark, "suggested", size * 1.15);
    for (const mark of this.marks) {
      const moved = [this.moving, this.carried].find((each) => each?.mark === mark);
      const here = moved ? { ...mark, x: moved.x, y: moved.y } : mark;
      put(here, this.#kindOf(mark), size);
    }
    if (!this.moving && !this.carried) this.drawn = { key: this.#key(frame), marks: this.marks };
  }

  /** After marks have changed: one that was only added goes on top of what is there. */
  drawChange() {
    const { drawn, canvas, element } = this;
    const context = canvas.getContext("2d");
    const added = drawn && this.marks.length > drawn.marks.length && this.#ready();
    if (!added || !context || !this.visible) return this.draw();
    const frame = this.#frame();
    const key = this.#key(frame);
    if (drawn.key !== key || drawn.marks.some((mark, index) => mark !== this.marks[index])) {
      return this.draw();
    }
    const stage = { width: element.clientWidth, height: element.clientHeight };
    const put = this.#stamper(context, frame, stage);
    for (const mark of this.marks.slice(drawn.marks.length)) put(mark, this.#kindOf(mark), sizeAt(frame.scale));
    this.drawn = { key, marks: this.marks };
  }

  /** @param {Mark} mark of the reader @returns {"apart" | "own"} */
  #kindOf(mark) {
    return this.faded.has(mark.cell_type) ? "apart" : "own";
  }

  /** What marks on the canvas depend on, besides themselves. @param {{x, y, scale}} frame */
  #key(frame) {
    const { width, height } = this.canvas;
    const state = [width, height, this.suggested.length, ...this.faded];
    return [frame.x, frame.y, frame.scale, ...state].join();
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {{x, y, scale}} frame
   * @param {{width: number, height: number}} stage
   * @returns {(mark: Mark, kind: string, size: number) => void}
   */
  #stamper(context, frame, stage) {
    const ratio = globalThis.devicePixelRatio || 1;
    return (mark, kind, size) => {
      const stamp = this.stamps.get(this.looks[mark.cell_type], kind, size, ratio);
      const side = stamp.width / ratio;
      const x = frame.x + mark.x * frame.scale - side / 2;
      const y = frame.y + mark.y * frame.scale - side / 2;
      if (x < -side || y < -side || x > stage.width || y > stage.height) return;
      context.drawImage(stamp, x, y, side, side);
    };
  }
}

/** @param {{pointerType?: string} | undefined} event @returns {number} CSS pixels */
function reachOf(event) {
  return event?.pointerType === "touch" ? REACH.touch : REACH.mouse;
}

/**
 * Keep OpenSeadragon from adding its one style element, which the content security policy refuses:
 * it looks for this mark first. The rule itself stands in counting.css.
 */
function forbidStyles() {
  const mark = document.createElementNS("", "style");
  mark.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(mark);
}
