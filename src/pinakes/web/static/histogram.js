// The histogram of dates: drawn by the server, dragged over here. What is chosen goes into the two date fields.
import { part, sorry } from "./fetching.js";
import { address } from "./filters.js";

const since = document.getElementById("since");
const before = document.getElementById("before");

async function show(frame) {
  try {
    const found = (await part(frame.dataset.histogram)).querySelector(".drawn-histogram, .dim");
    frame.replaceChildren(document.importNode(found, true));
    const svg = frame.querySelector("svg");
    if (svg) drag(svg);
  } catch (error) {
    frame.replaceChildren(sorry(error, () => show(frame)));
  }
}

function drag(svg) {
  const buckets = [...svg.querySelectorAll(".bucket")];
  const brush = svg.querySelector(".brush");
  const width = svg.viewBox.baseVal.width;
  let from = null;

  const at = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.9999) * width;
  };
  const mark = (one, other) => {
    const [low, high] = [Math.floor(Math.min(one, other)), Math.floor(Math.max(one, other))];
    brush.setAttribute("x", low);
    brush.setAttribute("width", high - low + 1);
    buckets.forEach((bucket, k) => bucket.classList.toggle("in", k >= low && k <= high));
    return [buckets[low].dataset.from, buckets[high].dataset.to];
  };

  svg.addEventListener("pointerdown", (event) => {
    from = at(event);
    svg.setPointerCapture(event.pointerId);
    mark(from, from);
  });
  svg.addEventListener("pointermove", (event) => from !== null && mark(from, at(event)));
  svg.addEventListener("pointercancel", () => { from = null; });
  svg.addEventListener("pointerup", (event) => {
    if (from === null) return;
    [since.value, before.value] = mark(from, at(event));
    from = null;
    location.assign(address());
  });
}

document.querySelectorAll("[data-histogram]").forEach(show);
