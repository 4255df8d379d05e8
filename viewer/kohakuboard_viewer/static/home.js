// The script of home.

import "./live.js"
