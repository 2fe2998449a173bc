/** The counting page. */
import { one } from "../lib/dom.js";
import { listen } from "./commands.js";
import { Screen } from "./screen.js";

const root = one("#counting");
const screen = new Screen(root);
listen(screen);
const first = Number(root.dataset.field);
screen.show(first, "stay").then(() => screen.saver.sendLeftovers(first));
