// Links and forms that ask for something else of this page, such as another step or order, are followed in place: the
// page is patched, and stays where it is scrolled to unless the link names a place.

import { isPlain } from "./events.js"
import { refreshPage } from "./live.js"
import { setQuery, view } from "./view.js"

let running = false
let wanted = false

/** Change parameters of the URL and show what they ask for; one request at a time, for the latest of them. */
export async function go(changes) {
  setQuery(changes)
  await show()
}

/** Tell whether more is asked for than is shown. */
export function isBehind() {
  return running
}

async function show() {
  wanted = true
  if (running) return
  running = true
  try {
    while (wanted) {
      wanted = false
      await refreshPage()
    }
  } catch {
    location.reload() // the server's own words, or the browser's that there is no server
  } finally {
    running = false
  }
  dispatchEvent(new Event("kobo-shown"))
}

async function follow(event, query) {
  event.preventDefault()
  history.pushState(null, "", query)
  if (document.getElementById("view")) view.say() // the link may be older than what was chosen there
  await show()
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView()
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("main a[href^='?']")
  if (link && !event.defaultPrevented && isPlain(event)) follow(event, link.getAttribute("href"))
})
addEventListener("popstate", show)

// A form marked data-ask names all that is asked for, but for what is picked out, which script alone knows of. One that
// is marked "at-once" is followed as it is filled in.
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event
  if (!("ask" in form.dataset)) return
  const query = new URLSearchParams([...new FormData(form, submitter)].filter(([, value]) => value))
  for (const brush of new URLSearchParams(location.search).getAll("brush")) query.append("brush", brush)
  follow(event, `?${query}`)
})
document.addEventListener("input", ({ target: { form } }) => {
  if (form?.dataset.ask === "at-once" && form.reportValidity()) form.requestSubmit()
})
