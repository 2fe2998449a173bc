/** Ask again and again, seldom when nothing changes, never when nobody looks. */

/**
 * @param {() => Promise<boolean>} ask does one round; true when something is going on
 * @param {{busy?: number, idle?: number}} [pace] milliseconds between rounds
 * @returns {{now: () => void, stop: () => void}}
 */
export function poll(ask, { busy = 1500, idle = 20000 } = {}) {
  let timer = 0;
  let wait = busy;
  let stopped = false;
  let running = false;
  let again = false;

  async function round() {
    clearTimeout(timer);
    if (stopped || document.hidden) return;
    if (running) {
      again = true;
      return;
    }
    running = true;
    let active = false;
    try {
      active = await ask();
    } catch {
      // The caller shows what went wrong; here it only means: less often.
    }
    running = false;
    wait = active ? busy : Math.min(wait * 1.7, idle);
    if (again) {
      again = false;
      wait = busy;
    }
    if (!stopped) timer = window.setTimeout(round, wait);
  }

  const wake = () => {
    if (!document.hidden) {
      wait = busy;
      round();
    }
  };
  document.addEventListener("visibilitychange", wake);
  round();
  return {
    now: () => {
      wait = busy;
      round();
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", wake);
    },
  };
}
