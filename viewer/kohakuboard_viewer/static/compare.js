// The script of the page that compares runs.

import "./copy.js"
import "./filter.js"
import "./links.js"
import "./live.js"
import "./steps.js"
import "./tabs.js"

// A form that asks for something else of this page is followed in place, as links are. What is picked out stays.
document.addEventListener("submit", (event) => {
  const form = event.target
  if (!("follow" in form.dataset)) return
  event.preventDefault()
  const query = new URLSearchParams(new FormData(form, event.submitter))
  for (const brush of new URLSearchParams(location.search).getAll("brush")) query.append("brush", brush)
  history.pushState(null, "", `?${query}`)
  dispatchEvent(new PopStateEvent("popstate"))
})
document.addEventListener("change", (event) => {
  const form = event.target.form
  if (form && "follow" in form.dataset) form.requestSubmit()
})
