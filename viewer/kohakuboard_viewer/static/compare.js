// The script of the page that compares runs.

import "./copy.js"
import "./filter.js"
import "./links.js"
import "./live.js"
import "./steps.js"
import "./tabs.js"

// A form that asks for something else of this page is followed in place, as links are.
document.addEventListener("submit", (event) => {
  const form = event.target
  if (form.id !== "directions") return
  event.preventDefault()
  history.pushState(null, "", `?${new URLSearchParams(new FormData(form, event.submitter))}`)
  dispatchEvent(new PopStateEvent("popstate"))
})
