// Keep a page up to date: ask for its version while the tab is visible (an unchanged one costs a 304), and fetch it
// again when that is another. Charts hear of it by the event "kobo-version" on the window.

import { ask } from "./fetched.js"
import { refreshPage } from "./patch.js"

const main = document.getElementById("main")
const label = document.getElementById("link-state")
const interval = Number(main.dataset.interval)

let version = main.dataset.version ?? null
let failures = 0
let timer = 0

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

document.addEventListener("visibilitychange", look)
if (version === null) look()
else timer = setTimeout(look, interval) // a page that tells its version is of this moment
