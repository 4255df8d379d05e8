// Links to this page that ask for something else of it, such as another step or order, are followed in place: the page
// is patched, and stays where it is scrolled to.

import { refreshPage } from "./patch.js"
import { setQuery } from "./view.js"

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

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("main a[href^='?']")
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  history.pushState(null, "", link.getAttribute("href"))
  show()
})
addEventListener("popstate", show)
