// Filter as one types. The server filters and renders, here as without script; the URL keeps the words.

import { onKeys } from "./events.js"
import { refreshPage } from "./live.js"
import { setQuery } from "./view.js"

const form = document.getElementById("filter")
let latest = new AbortController()

async function apply() {
  setQuery({ q: form.elements.q.value.trim(), page: null })
  latest.abort()
  latest = new AbortController()
  try {
    await refreshPage(latest.signal)
  } catch (error) {
    if (error.name !== "AbortError") throw error
  }
}

if (form) {
  form.elements.q.addEventListener("input", apply)
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    apply()
  })
  addEventListener("kobo-patched", () => {
    const asked = new URLSearchParams(location.search).get("q") ?? ""
    if (document.activeElement !== form.elements.q) form.elements.q.value = asked // a link changed it
  })
  onKeys({ "/": () => form.elements.q.focus() })
}
