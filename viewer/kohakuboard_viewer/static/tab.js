// The script of the tabs of a run's page that have no curves.

import "./copy.js"
import "./filter.js"
import "./heatmap.js"
import "./links.js"
import "./live.js"
import "./steps.js"
import "./tabs.js"
