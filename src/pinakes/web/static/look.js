// The visitor's choices, as the server keeps them: theme.thumbs.per.view in one cookie.
import { root } from "./root.js";

const NAMES = ["theme", "thumbs", "per", "view"];
const DEFAULTS = ["auto", "m", "60", "pages"];

function read() {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith("pinakes-look="));
  const told = found ? found.slice("pinakes-look=".length).split(".") : [];
  return DEFAULTS.map((value, place) => told[place] || value);
}

export function remember(name, value) {
  const look = read();
  look[NAMES.indexOf(name)] = value;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `pinakes-look=${look.join(".")}; path=${root || "/"}; max-age=31536000; samesite=lax${secure}`;
}
