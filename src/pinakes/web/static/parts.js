// Parts that were not ready when the page was: the counts of tags.
import { part, sorry } from "./fetching.js";

async function counts(waiting) {
  const section = waiting.closest("section");
  const address = waiting.dataset.facets;
  try {
    section.replaceWith(document.importNode((await part(address)).getElementById("facets"), true));
  } catch (error) {
    waiting.replaceChildren(sorry(error, () => counts(waiting)));
  }
}

document.querySelectorAll("[data-facets]").forEach(counts);
