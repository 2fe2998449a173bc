/**
 * On a narrow screen the tabs scroll sideways: the page's own is brought into sight. Loaded right
 * behind them, so that nothing moves once it is painted.
 */
(() => {
  const tabs = document.querySelector(".tabs");
  const own = tabs?.querySelector("[aria-current]");
  if (!tabs || !(own instanceof HTMLElement)) return;
  tabs.scrollLeft = own.offsetLeft - (tabs.clientWidth - own.offsetWidth) / 2;
})();
