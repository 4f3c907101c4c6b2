// Completion of tags: in the search box for the word at its end, in a list of names for the last name.
import { root } from "./root.js";

const WAIT_MS = 60;

function split(field) {
  const text = field.value.slice(0, field.selectionEnd ?? field.value.length);
  const names = field.dataset.suggest === "names";
  const found = names ? /(^|,|\n)\s*([^,\n]*)$/.exec(text) : /(^|[\s(])([-~]?)(?:tag:)?([^\s()":]*)$/.exec(text);
  if (!found) return null;
  const typed = found[found.length - 1];
  const sign = names ? "" : found[2];
  return { typed, start: text.length - (names ? typed.length : found[0].length - found[1].length), sign, names };
}

function option(each, place, id) {
  const item = document.createElement("li");
  item.id = `${id}-${place}`;
  item.role = "option";
  item.dataset.text = each.text;
  item.dataset.name = each.name;
  const dot = document.createElement("span");
  dot.className = `dot ${each.color}`;
  const name = document.createElement("span");
  name.className = each.color;
  name.textContent = each.name;
  item.append(dot);
  if (each.alias) {
    const alias = document.createElement("span");
    alias.textContent = each.alias;
    const arrow = document.createElement("span");
    arrow.className = "arrow";
    arrow.textContent = "→";
    item.append(alias, arrow);
  }
  const count = document.createElement("span");
  count.className = "count";
  count.textContent = each.count.toLocaleString("en");
  item.append(name, count);
  return item;
}

class Completion {
  constructor(field) {
    this.field = field;
    this.id = `${field.id}-list`;
    this.list = document.createElement("ul");
    this.list.className = "completion";
    this.list.id = this.id;
    this.list.role = "listbox";
    this.list.setAttribute("aria-label", "Tags");
    this.list.hidden = true;
    const frame = field.closest(".field") ?? field.parentElement;
    if (frame !== field.closest(".field")) {
      const wrapped = document.createElement("div");
      wrapped.className = "field";
      field.replaceWith(wrapped);
      wrapped.append(field, this.list);
    } else frame.append(this.list);
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.id);
    // A field of several lines stays what it is; of one, it may be a combobox.
    this.combobox = field.tagName === "INPUT";
    if (this.combobox) field.setAttribute("role", "combobox");
    this.expanded(false);
    field.addEventListener("input", () => this.later());
    field.addEventListener("keydown", (event) => this.key(event));
    field.addEventListener("blur", () => this.close());
    // The field keeps the focus, so that the list stays until the click has come.
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const chosen = event.target.closest("li");
      if (chosen) this.take(chosen);
    });
  }

  expanded(open) {
    if (this.combobox) this.field.setAttribute("aria-expanded", String(open));
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), WAIT_MS);
  }

  async ask() {
    const word = split(this.field);
    this.asking?.abort();
    if (!word || !word.typed.trim()) return this.close();
    this.asking = new AbortController();
    const asked = new URLSearchParams({ q: word.typed.replaceAll("_", " ").slice(0, 60) });
    if (!word.names && [root, `${root}/`].includes(location.pathname)) asked.set("within", location.search.slice(1));
    try {
      const response = await fetch(`${root}/page/suggest?${asked}`, { signal: this.asking.signal });
      if (!response.ok) return this.close();
      this.show((await response.json()).suggestions);
    } catch (error) {
      if (error.name !== "AbortError") this.close();
    }
  }

  show(found) {
    if (!found.length || document.activeElement !== this.field) return this.close();
    this.list.replaceChildren(...found.map((each, place) => option(each, place, this.id)));
    this.list.hidden = false;
    this.expanded(true);
    this.mark(-1);
  }

  close() {
    this.list.hidden = true;
    this.expanded(false);
    this.field.removeAttribute("aria-activedescendant");
    this.place = -1;
  }

  mark(place) {
    const options = [...this.list.children];
    this.place = place;
    options.forEach((item, k) => item.setAttribute("aria-selected", String(k === place)));
    if (place < 0) return this.field.removeAttribute("aria-activedescendant");
    this.field.setAttribute("aria-activedescendant", options[place].id);
    options[place].scrollIntoView({ block: "nearest" });
  }

  key(event) {
    if (this.list.hidden) return;
    const count = this.list.children.length;
    if (event.key === "ArrowDown") this.mark((this.place + 1) % count);
    else if (event.key === "ArrowUp") this.mark(this.place <= 0 ? count - 1 : this.place - 1);
    else if (event.key === "Escape") this.close();
    else if ((event.key === "Enter" || event.key === "Tab") && this.place >= 0) this.take(this.list.children[this.place]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  take(chosen) {
    const word = split(this.field);
    if (!word) return this.close();
    const rest = this.field.value.slice(this.field.selectionEnd ?? this.field.value.length);
    const name = chosen.dataset.name;
    const text = word.names ? (/[,"]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name) : word.sign + chosen.dataset.text;
    const before = this.field.value.slice(0, word.start) + text + (word.names ? ", " : " ");
    this.field.value = before + rest.trimStart();
    this.field.setSelectionRange(before.length, before.length);
    this.close();
  }
}

document.querySelectorAll("[data-suggest]").forEach((field) => new Completion(field));
