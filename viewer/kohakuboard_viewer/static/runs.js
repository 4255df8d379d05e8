// The script of the list of runs.

import "./filter.js"
import "./links.js"
import "./live.js"
