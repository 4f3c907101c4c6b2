"""Results as a page with plots that stands by itself: no script, nothing fetched."""
