// The script of the list of runs.

import "./filter.js"
import "./live.js"
