/** The counting page. */
import { one } from "../lib/dom.js";
import { listen } from "./commands.js";
import { Conflict } from "./conflict.js";
import { Flags } from "./flag.js";
import { Screen } from "./screen.js";

const root = one("#counting");
const screen = new Screen(root);
const conflict = new Conflict(screen);
const flags = new Flags(screen);
screen.onConflict = () => conflict.show();
screen.onField = () => {
  conflict.show();
  flags.show();
};
listen(screen, { flag: () => flags.open() });
const first = Number(root.dataset.field);
screen
  .show(first, "stay")
  .then(() => screen.saver.sendLeftovers(first))
  .then((undecided) => conflict.elsewhere(undecided));
