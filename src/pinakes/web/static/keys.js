// Keys. Nothing happens while somebody types, or with a modifier; `?` lists them.
import { switchTheme } from "./theme.js";

const dialog = document.getElementById("keys");

function follow(key) {
  document.querySelector(`[data-key="${key}"]`)?.click();
}

function cards() {
  return [...document.querySelectorAll(".card > a")];
}

// The next or previous card from the one that has the focus, or from the first in sight.
function step(by) {
  const all = cards();
  if (!all.length) return follow(by > 0 ? "next" : "previous");
  const at = all.indexOf(document.activeElement);
  const seen = all.findIndex((card) => card.getBoundingClientRect().bottom > 80);
  const next = at < 0 ? Math.max(seen, 0) : at + by;
  all[Math.min(Math.max(next, 0), all.length - 1)].focus();
}

const ACTIONS = {
  "/": () => document.getElementById("q")?.focus(),
  q: () => document.getElementById("q")?.focus(),
  a: () => follow("previous"),
  d: () => follow("next"),
  ArrowLeft: () => follow("previous"),
  ArrowRight: () => follow("next"),
  j: () => step(1),
  k: () => step(-1),
  g: () => follow("back"),
  t: switchTheme,
  "?": () => dialog?.showModal(),
};

// The action of a key: by what it writes, else, where that is no letter of ours, by where it is on the keyboard.
function actionOf(event) {
  const written = event.key;
  if (ACTIONS[written]) return ACTIONS[written];
  if (event.shiftKey && event.code !== "Slash") return null;
  if (/^[a-z]$/i.test(written)) return ACTIONS[written.toLowerCase()];
  if (/^[\x20-\x7e]$/.test(written) && !/^[.,]$/.test(written)) return null;
  if (event.code === "Slash") return ACTIONS[event.shiftKey ? "?" : "/"];
  return event.code?.startsWith("Key") ? ACTIONS[event.code.slice(3).toLowerCase()] : null;
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || dialog?.open) return;
  const inside = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (inside) {
    if (event.key === "Escape") inside.blur();
    return;
  }
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
});
document.querySelector("[data-help]")?.addEventListener("click", () => dialog?.showModal());
