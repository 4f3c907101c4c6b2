// The operations page draws itself anew every few seconds, as long as somebody looks.
import { part } from "./fetching.js";

const operations = document.getElementById("operations");

async function refresh() {
  if (document.hidden || document.getSelection()?.toString()) return;
  try {
    const found = (await part(location.href)).getElementById("operations");
    const now = document.getElementById("operations");
    if (found && now && !now.contains(document.activeElement)) now.replaceWith(document.importNode(found, true));
  } catch {
    document.getElementById("operations")?.classList.add("unreachable");
  }
}

if (operations) setInterval(refresh, Number(operations.dataset.refresh) * 1000);
