// Make the page say what a newer rendering of it says, touching only what differs: no flicker, no lost focus.

import { ask } from "./fetched.js"

let latest = 0

/** Fetch this page as the server renders it now, and take over every part marked data-patch. */
export async function refreshPage(signal) {
  const turn = ++latest
  const response = await ask(location.href, { signal, accept: "text/html" })
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html")
  if (turn !== latest) return // what a later request brings is as new or newer
  const main = fresh.getElementById("main")
  for (const part of document.querySelectorAll("[data-patch]")) {
    const newer = main.querySelector(`#${part.id}`)
    if (newer && newer.localName !== part.localName) return location.reload() // an empty page got its first run
    if (newer) patch(part, newer)
  }
  document.title = fresh.title
  dispatchEvent(new Event("kobo-patched"))
}

/** Make an element equal to another of the same tag. */
export function patch(element, newer) {
  patchAttributes(element, newer)
  if (!element.localName.startsWith("kobo-")) patchChildren(element, newer) // these draw themselves
}

function patchAttributes(element, newer) {
  for (const { name, value } of newer.attributes) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value)
  }
  for (const { name } of [...element.attributes]) {
    // What the user or an element's own script put there stays: an open section, a chart's state.
    if (!newer.hasAttribute(name) && name !== "open" && name !== "data-state") element.removeAttribute(name)
  }
}

function patchChildren(element, newer) {
  const keyed = new Map([...element.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]))
  let place = element.firstChild
  for (const wanted of [...newer.childNodes]) {
    const kept = wanted.dataset?.key ? keyed.get(wanted.dataset.key) : isAlike(place, wanted) ? place : null
    if (!kept) {
      element.insertBefore(document.importNode(wanted, true), place)
      continue
    }
    if (kept === place) place = place.nextSibling
    else element.insertBefore(kept, place)
    if (kept.nodeType === Node.ELEMENT_NODE) {
      // <details> is the user's to open and close, once it is there.
      if (kept.localName === "details") wanted.toggleAttribute("open", kept.open)
      patch(kept, wanted)
    } else if (kept.data !== wanted.data) kept.data = wanted.data
  }
  while (place) {
    const next = place.nextSibling
    place.remove()
    place = next
  }
}

/** Tell whether a node without a key can become another. */
function isAlike(node, wanted) {
  return node?.nodeType === wanted.nodeType && node.localName === wanted.localName && !node.dataset?.key
}
