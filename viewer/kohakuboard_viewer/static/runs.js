// The script of the list of runs.

import "./filter.js"
import "./links.js"
import "./live.js"
import "./selection.js"
import "./widths.js"

// Choosing columns and groups is a link like others.
document.addEventListener("submit", (event) => {
  const form = event.target
  if (form.method !== "get" || !form.matches(".chooser")) return
  event.preventDefault()
  history.pushState(null, "", `?${new URLSearchParams([...new FormData(form)].filter(([, value]) => value))}`)
  dispatchEvent(new PopStateEvent("popstate"))
})

// A menu closes when one clicks beside it, or presses Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false
})
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector(".menu[open]")
  if (!menu) return
  menu.open = false
  menu.querySelector("summary").focus()
})
