// Parts that were not ready when the page was: the counts of tags.
import { part, sorry } from "./fetching.js";
import { root } from "./root.js";

async function counts(waiting) {
  const section = waiting.closest("section");
  const address = waiting.dataset.facets;
  try {
    section.replaceWith(document.importNode((await part(address)).getElementById("facets"), true));
  } catch (error) {
    waiting.replaceChildren(sorry(error, () => counts(waiting)));
  }
}

// From now on the server need not wait for them: this fetches them.
document.cookie = `pinakes-scripts=1; path=${root || "/"}; max-age=31536000; samesite=lax`;
document.querySelectorAll("[data-facets]").forEach(counts);
