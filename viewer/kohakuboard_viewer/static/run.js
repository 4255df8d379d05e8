// The script of the page of one run.

import "./chart.js"
import "./controls.js"
import "./filter.js"
import "./live.js"
import "./tabs.js"
