// The grid: sizes without loading again, the next page fetched ahead, and scrolling on where that is chosen.
import { part, say, sorry } from "./fetching.js";
import { remember } from "./look.js";
import { root } from "./root.js";

const AHEAD_PX = 1200;
const grid = document.getElementById("grid");

// A picture that does not come leaves the drawn one, without the sign of a broken picture over it.
function failed(image) {
  if (image.matches?.("img.photo")) image.classList.add("failed");
}
document.addEventListener("error", (event) => failed(event.target), true);
for (const image of document.querySelectorAll("img.photo")) {
  if (image.complete && !image.naturalWidth && image.currentSrc) failed(image);
}

document.querySelectorAll("[data-thumbs-switch]").forEach((link) => {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const size = link.dataset.thumbsSwitch;
    document.documentElement.dataset.thumbs = size;
    remember("thumbs", size);
    document.querySelectorAll("[data-thumbs-switch]").forEach((each) => each.toggleAttribute("aria-current", each === link));
  });
});

function fetchAhead() {
  const next = document.querySelector('link[rel="next"]');
  if (!next || navigator.connection?.saveData) return;
  const ahead = document.createElement("link");
  ahead.rel = "prefetch";
  ahead.href = next.href;
  document.head.append(ahead);
}

// Endless scrolling walks by cursor, so nobody meets an item twice or misses one, whatever is added meanwhile. What
// was walked is remembered for the way back.
class Walk {
  constructor() {
    this.next = grid.dataset.next;
    this.walked = [];
    this.key = `walk:${location.pathname}${location.search}`;
    this.more = document.createElement("div");
    this.more.className = "more";
    document.querySelector(".pager > ol, .pager > .step")?.closest(".pager").before(this.more);
    history.scrollRestoration = "manual";
    addEventListener("pagehide", () => this.keep());
    this.begin();
  }

  keep() {
    sessionStorage.setItem(this.key, JSON.stringify({ walked: this.walked, at: scrollY }));
  }

  async begin() {
    const back = performance.getEntriesByType("navigation")[0]?.type !== "navigate";
    const kept = back ? JSON.parse(sessionStorage.getItem(this.key) ?? "null") : null;
    if (kept) {
      while (this.walked.length < kept.walked.length && this.next && !this.failed) await this.step();
      scrollTo(0, kept.at);
    }
    this.watch = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && this.go(), { rootMargin: `${AHEAD_PX}px` });
    this.watch.observe(this.more);
  }

  async go() {
    if (this.going || !this.next || this.failed) return;
    this.going = true;
    await this.step();
    this.going = false;
    // Still in sight: an observer tells of changes only.
    if (this.next && !this.failed && this.more.getBoundingClientRect().top < innerHeight + AHEAD_PX) this.go();
  }

  async step() {
    const asked = new URLSearchParams(location.search);
    asked.delete("page");
    asked.set("cursor", this.next);
    this.more.textContent = "Loading …";
    try {
      const found = (await part(`${root}/page/grid?${asked}`)).getElementById("grid");
      const known = new Set([...grid.children].map((card) => card.id));
      const fresh = [...found.children].filter((card) => !known.has(card.id));
      this.walked.push(this.next);
      this.next = found.dataset.next;
      grid.append(...fresh.map((card) => document.importNode(card, true)));
      say(`${fresh.length} more`);
      this.more.textContent = this.next ? "" : "That is all.";
    } catch (error) {
      this.failed = true;
      this.more.replaceChildren(sorry(error, () => {
        this.failed = false;
        this.go();
      }));
    }
  }
}

if (grid) {
  if (document.querySelector('[data-view="scroll"]')) new Walk();
  else if ("requestIdleCallback" in window) requestIdleCallback(fetchAhead, { timeout: 3000 });
  else setTimeout(fetchAhead, 1500);
}
