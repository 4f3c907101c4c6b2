// What every page gets better by. Each module looks for what it serves and leaves the rest alone.
import "./theme.js";
import "./keys.js";
import "./filters.js";
import "./suggest.js";
import "./grid.js";
import "./parts.js";
import "./histogram.js";
import "./operations.js";
