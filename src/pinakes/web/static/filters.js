// Filters take effect when they are changed; without scripts a button sends them.
import { root } from "./root.js";

const form = document.getElementById("filters");

// The address of the form without what says nothing.
export function address() {
  const told = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && value.trim()) told.append(name, name === "q" ? value.trim() : value);
  }
  const halves = told.getAll("content_source_types").length;
  const all = document.querySelectorAll('[name="content_source_types"]').length;
  // None switched on would be everything again: say that it is nothing.
  if (halves === 0 && all) told.append("content_source_types", "");
  if (halves === all) told.delete("content_source_types");
  const text = told.toString();
  return text ? `${root}/?${text}` : `${root}/`;
}

if (form) {
  document.addEventListener("change", (event) => {
    const control = event.target;
    if (control.form === form && control.id !== "q" && control.checkValidity()) location.assign(address());
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.assign(address());
  });
}
const order = document.querySelector("[data-order]");
order?.addEventListener("change", () => order.form.requestSubmit());

// On the way back a browser brings controls as they were left, not as the page says: they show what is shown.
addEventListener("pageshow", (event) => {
  const again = event.persisted || performance.getEntriesByType("navigation")[0]?.type !== "navigate";
  if (again) document.querySelectorAll('form[autocomplete="off"]').forEach((each) => each.reset());
});
