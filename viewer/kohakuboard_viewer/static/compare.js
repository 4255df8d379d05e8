// The script of the page that compares runs.

import "./copy.js"
import "./filter.js"
import "./links.js"
import "./live.js"
import "./steps.js"
import "./tabs.js"

// Other runs, looked at as these are: script has changed the URL since the form was rendered.
document.getElementById("compare").addEventListener("submit", (event) => {
  event.preventDefault()
  const url = new URL(location.href)
  url.searchParams.delete("run")
  for (const run of new FormData(event.target).getAll("run")) url.searchParams.append("run", run)
  location.assign(url)
})

// A form that asks for something else of this page is followed in place, as links are. What is picked out stays.
document.addEventListener("submit", (event) => {
  const form = event.target
  if (!("ask" in form.dataset)) return
  event.preventDefault()
  const query = new URLSearchParams(new FormData(form, event.submitter))
  for (const brush of new URLSearchParams(location.search).getAll("brush")) query.append("brush", brush)
  history.pushState(null, "", `?${query}`)
  dispatchEvent(new PopStateEvent("popstate"))
})
document.addEventListener("change", (event) => {
  const form = event.target.form
  if (form && "ask" in form.dataset) form.requestSubmit()
})
