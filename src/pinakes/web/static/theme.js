// Light or dark without loading the page again; remembered in the cookie the server reads.
import { remember } from "./look.js";

const root = document.documentElement;

export function isDark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  root.dataset.theme = theme;
  remember("theme", theme);
}

document.querySelector("[data-theme-switch]")?.addEventListener("click", (event) => {
  event.preventDefault();
  switchTheme();
});
