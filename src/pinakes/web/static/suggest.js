// Completion of tags: in the search box for the word at its end, in a list of names for the last name.
import { root } from "./root.js";

const WAIT_MS = 60;

// Names that take a value in the search box, as the grammar has them; what stands behind any but `tag` is no tag.
const FIELDS = ["tag", "by", "type", "source", "score", "created", "updated", "tags", "order"];
const WORD = /[^\s()"|]+(\([^\s()"|]*\)[^\s()"|]*)*(\([^\s()"|]*$)?/y;
const QUOTED = /"((?:\\.|[^"\\])*)("|\\?$)/sy;

// The pieces of a question by the rules of its grammar: words (brackets closed inside belong to them, one still open at
// the end, too), quoted texts, and all else by the letter. `sign` is what stands before, `plain` a word without any.
export function pieces(text) {
  const found = [];
  let at = 0;
  while (at < text.length) {
    const start = at;
    const sign = /[-~]*/y;
    sign.lastIndex = at;
    const signs = sign.exec(text)[0];
    at += signs.length;
    const field = /([a-z]+):/iy;
    field.lastIndex = at;
    const named = field.exec(text)?.[1].toLowerCase();
    const known = FIELDS.includes(named) ? named : "";
    if (known) at += known.length + 1;
    const form = text[at] === '"' ? QUOTED : WORD;
    form.lastIndex = at;
    const match = at < text.length ? form.exec(text) : null;
    if (match) at += match[0].length;
    else if (at === start) {
      at += 1;
      continue;
    }
    const closed = form === QUOTED && match?.[2] === '"';
    const typed = match ? (form === QUOTED ? match[1].replace(/\\(.)/gs, "$1") : match[0]) : "";
    found.push({ start, end: at, signs, field: known, typed, closed, plain: !known && !!match && form === WORD });
  }
  return found;
}

// What is being typed before the cursor: where it begins, its sign, and the plain words right before it.
function split(field) {
  const at = field.selectionEnd ?? field.value.length;
  const text = field.value.slice(0, at);
  const rest = field.value.slice(at);
  if (field.dataset.suggest === "names") {
    const found = /(?:^|,|\n)[^\S\n]*("(?:[^"]|"")*|[^,"\n]*)$/.exec(text);
    if (!found) return null;
    const typed = found[1].replace(/^"/, "").replaceAll('""', '"');
    return { typed, start: text.length - found[1].length, end: at + /^[^,\n]*/.exec(rest)[0].length, sign: "", names: true, before: [] };
  }
  const all = pieces(text);
  const last = all.at(-1);
  if (!last || last.end !== at || last.closed || (last.field && last.field !== "tag")) return null;
  const before = [];
  for (let k = all.length - 2, next = last; k >= 0 && !next.signs && last.plain; k -= 1) {
    const each = all[k];
    if (!each.plain || text.slice(each.end, next.start).trim() || /^or$/i.test(each.typed)) break;
    before.unshift(each);
    next = each;
  }
  const end = at + /^[^\s()"|]*/.exec(rest)[0].length;
  return { typed: last.typed, start: last.start, end, sign: last.signs, names: false, before };
}

const wordsOf = (name) => name.toLowerCase().split(/[\s_]+/).filter(Boolean);

// How many of the words before the one that is typed the name has right before the word it was found by.
function taken(word, name) {
  const has = wordsOf(name);
  const typed = wordsOf(word.typed);
  const earlier = word.before.map((each) => each.typed.toLowerCase());
  let most = 0;
  has.forEach((_, place) => {
    if (!typed.every((each, k) => (k === typed.length - 1 ? has[place + k]?.startsWith(each) : has[place + k] === each))) return;
    let count = 0;
    while (count < earlier.length && place - count > 0 && has[place - count - 1] === earlier[earlier.length - 1 - count]) count += 1;
    most = Math.max(most, count);
  });
  return most;
}

function option(each, place, id) {
  const item = document.createElement("li");
  item.id = `${id}-${place}`;
  item.role = "option";
  item.dataset.text = each.text;
  item.dataset.name = each.name;
  item.dataset.words = each.words ?? 0;
  const dot = document.createElement("span");
  dot.className = `dot ${each.color}`;
  const name = document.createElement("bdi");
  name.className = each.color;
  name.textContent = each.name;
  item.append(dot);
  if (each.alias) {
    const alias = document.createElement("bdi");
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
    const signal = this.asking.signal;
    try {
      // Names that go on from the words before come first: with "oil pai" one means "oil painting".
      const whole = word.before.length ? await this.fetched([...word.before.map((each) => each.typed), word.typed].join(" "), word, signal) : [];
      const single = await this.fetched(word.typed, word, signal);
      for (const each of [...whole, ...single]) each.words = Math.max(taken(word, each.name), each.alias ? taken(word, each.alias) : 0);
      const found = [...whole.filter((each) => each.words), ...single.filter((each) => !whole.some((one) => one.words && one.name === each.name))];
      this.show(found.slice(0, 12));
    } catch (error) {
      if (error.name !== "AbortError") this.close();
    }
  }

  async fetched(typed, word, signal) {
    const asked = new URLSearchParams({ q: typed.replaceAll("_", " ").slice(-60) });
    if (!word.names && [root, `${root}/`].includes(location.pathname)) asked.set("within", location.search.slice(1));
    const response = await fetch(`${root}/page/suggest?${asked}`, { signal });
    return response.ok ? (await response.json()).suggestions : [];
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
    // While an input method composes, its keys are its own.
    if (this.list.hidden || event.isComposing || event.keyCode === 229) return;
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
    const rest = this.field.value.slice(word.end);
    const name = chosen.dataset.name;
    const text = word.names ? (/[,"]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name) : chosen.dataset.text;
    const first = word.before.at(word.before.length - Number(chosen.dataset.words)) ?? { start: word.start, signs: word.sign };
    const before = this.field.value.slice(0, first.start) + (word.names ? "" : first.signs) + text + (word.names ? ", " : " ");
    const follows = word.names ? rest.replace(/^\s*,/, "").trimStart() : rest.trimStart();
    this.field.value = before + follows;
    this.field.setSelectionRange(before.length, before.length);
    this.close();
  }
}

document.querySelectorAll("[data-suggest]").forEach((field) => new Completion(field));
