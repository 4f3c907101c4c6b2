// Fetching parts of pages. The server writes and escapes them; what comes is put in as it is.
export class Refused extends Error {}

// The elements of a part, parsed and inert; Refused where the server could not give it.
export async function part(address, signal) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", headers: { accept: "text/html" }, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer.");
  }
  const text = await response.text();
  const parsed = new DOMParser().parseFromString(text, "text/html");
  if (!response.ok) {
    throw new Refused(parsed.querySelector(".refused, .state h1")?.textContent.trim() || `Refused (${response.status}).`);
  }
  return parsed;
}

// A short text with a way on, in the place of what could not be fetched.
export function sorry(error, again) {
  const told = document.createElement("p");
  told.className = "refused";
  told.append(`${error instanceof Refused ? error.message : "Something went wrong."} `);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet";
  button.textContent = "Try again";
  button.addEventListener("click", again);
  told.append(button);
  return told;
}

// Says something to readers of the screen.
export function say(text) {
  const live = document.getElementById("live");
  if (live) live.textContent = text;
}
