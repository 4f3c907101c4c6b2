// Where the site stands: the path before all of its addresses, empty where it has a host to itself.
export const root = document.documentElement.dataset.root ?? "";
