/** The counting page. */
import { one } from "../lib/dom.js";
import { Bell } from "./bell.js";
import { listen } from "./commands.js";
import { Conflict } from "./conflict.js";
import { Cursor } from "./cursor.js";
import { Flags } from "./flag.js";
import { HeadStart } from "./head_start.js";
import { HeatMap } from "./heat.js";
import { Screen } from "./screen.js";
import { SoFar } from "./sofar.js";
import { Stop } from "./stop.js";
import { Tiles } from "./tiles.js";
import { View } from "./view.js";

const root = one("#counting");
const screen = new Screen(root);
const conflict = new Conflict(screen);
const flags = new Flags(screen);
const bell = new Bell();
const soFar = new SoFar(screen);
const headStart = new HeadStart(screen);
const heat = new HeatMap(screen);
const view = new View(screen, heat);
const tiles = new Tiles((field) => screen.picture.refine(field));
const cursor = new Cursor(screen);
const stop = new Stop(screen, soFar, bell);
screen.onConflict = () => conflict.show();
screen.onUncounted = (field) => headStart.begin(field);
screen.onField = () => {
  conflict.show();
  flags.show();
  soFar.begin();
  stop.begin();
  view.begin();
  cursor.begin();
  if (screen.field) tiles.begin(screen.field);
};
screen.onChange = () => {
  soFar.show();
  stop.changed();
  heat.show();
};
soFar.onBase = () => stop.settle();
screen.mayAdd = () => stop.mayAdd();
screen.onCount = (by) => !stop.reached && bell.tick(by);
screen.onEscape = (inView) => (inView && view.close()) || stop.goOn() || view.close();
listen(screen, cursor, {
  flag: () => flags.open(),
  view: () => view.toggle(),
  grid: () => view.flip("grid"),
  edges: () => view.flip("edges"),
  heat: () => view.flip("heat"),
  channel: () => view.nextChannel(),
  "reset-view": () => view.reset(),
});
const first = Number(root.dataset.field);
screen
  .show(first, "stay")
  .then(() => screen.saver.sendLeftovers(first, (id) => screen.fields.forget(id)))
  .then((refused) => refused.forEach((each) => screen.way.tellRefused(each)));
