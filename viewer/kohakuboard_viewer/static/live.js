// Keep a page up to date: ask for its version while the tab is visible (an unchanged one costs a 304), and fetch it again
// when that is another. What a newer rendering says is taken over by touching only what differs: no flicker, no lost focus.
// Charts hear of it by the event "kobo-version" on the window.

import { ask } from "./fetched.js"

const main = document.getElementById("main")
const label = document.getElementById("link-state")
const interval = Number(main.dataset.interval)

let latest = 0
let version = main.dataset.version ?? null
let failures = 0
let timer = 0

/** Fetch this page as the server renders it now, and take over every part marked data-patch. */
export async function refreshPage(signal) {
  const turn = ++latest
  const response = await ask(location.href, { signal, accept: "text/html" })
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html")
  if (turn !== latest) return // what a later request brings is as new or newer
  const shown = fresh.getElementById("main")
  for (const part of document.querySelectorAll("[data-patch]")) {
    const newer = shown.querySelector(`#${part.id}`)
    if (newer && newer.localName !== part.localName) return location.reload() // an empty page got its first run
    if (newer) patch(part, newer)
  }
  document.title = fresh.title
  dispatchEvent(new Event("kobo-patched"))
}

/** Make an element equal to another of the same tag. */
function patch(element, newer) {
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

async function look() {
  clearTimeout(timer)
  if (document.hidden) return
  try {
    const state = await (await ask(main.dataset.live, { cache: "no-cache" })).json()
    if (state.version !== version) {
      if (version !== null) {
        await refreshPage()
        dispatchEvent(new Event("kobo-version"))
      }
      version = state.version
    }
    failures = 0
    say("")
    if (!state.live) return
  } catch {
    failures += 1
    if (failures > 1) say("connection lost")
  }
  timer = setTimeout(look, interval * Math.min(2 ** failures, 16))
}

function say(text) {
  if (label.textContent !== text) label.textContent = text
}

if (main.dataset.live) {
  document.addEventListener("visibilitychange", look)
  if (version === null) look()
  else timer = setTimeout(look, interval) // a page that tells its version is of this moment
}
