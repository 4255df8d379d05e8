// Pictures shown large, in a dialog over the page: arrow keys go to others of the same name, up and down to other steps,
// Esc closes it. The address keeps which one is open.

import { isPlain } from "./events.js"
import { turn as turnStep } from "./steps.js"
import { setQuery } from "./view.js"

const dialog = document.getElementById("lightbox")
const stage = dialog.querySelector(".lightbox-stage")
const words = dialog.querySelector(".lightbox-words")
const file = dialog.querySelector(".lightbox-file")

let name = null
let place = 0

/** Return the pictures that belong to the open one, as the page shows them: all of one name, or of a table. */
const siblings = () => [...document.querySelectorAll(name === null ? ".thumbnail" : `.frame > a[data-name="${CSS.escape(name)}"]`)]

function open(link) {
  name = link.dataset.name ?? null
  place = siblings().indexOf(link)
  show()
  if (!dialog.open) dialog.showModal()
}

function show() {
  const links = siblings()
  const link = links[Math.min(place, links.length - 1)]
  if (!link) return dialog.close() // at this step there is none of this name
  place = links.indexOf(link)
  const copy = link.cloneNode(true)
  const picture = copy.querySelector("img")
  picture.loading = "eager"
  if (!link.href.endsWith(".tiff")) picture.src = link.href
  else picture.src = `${picture.getAttribute("src").split("?")[0]}?side=2048`
  const frame = document.createElement("div")
  frame.className = link.closest(".paper") ? "lightbox-frame on-paper" : "lightbox-frame"
  frame.append(...copy.childNodes)
  fit(frame, picture)
  stage.replaceChildren(frame)
  const caption = link.closest("figure")?.querySelector(".caption, .plotted > figcaption")?.textContent ?? link.dataset.caption
  const step = document.querySelector(".step-now")?.textContent
  words.textContent = [caption, name, step && `step ${step.replace(/^Step /, "")}`, `${place + 1} of ${links.length}`].filter(Boolean).join(" · ")
  file.href = link.href
  for (const button of dialog.querySelectorAll(".lightbox-turn")) button.disabled = links.length < 2
  if (name !== null) setQuery({ open: `${name}:${place}` })
}

/** Let a small picture be drawn as large as there is room for, in its own proportions. */
function fit(frame, picture) {
  const [width, height] = [picture.getAttribute("width"), picture.getAttribute("height")]
  if (!width || !height) return
  frame.style.aspectRatio = `${width} / ${height}`
  frame.style.width = `min(100%, calc((100vh - 120px) * ${width / height}))`
}

function turn(by) {
  const { length } = siblings()
  place = (place + by + length) % length
  show()
}

document.addEventListener("click", (event) => {
  if (!isPlain(event)) return
  const link = event.target.closest?.(".frame > a[data-name], .thumbnail")
  if (link) {
    event.preventDefault()
    open(link)
  }
  if (event.target === dialog || event.target === stage) dialog.close()
  const { value } = event.target.closest?.("#lightbox button") ?? {}
  if (value === "close") dialog.close()
  else if (value) turn(value === "next" ? 1 : -1)
})

dialog.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
  const step = { ArrowUp: "prev", ArrowDown: "next" }[event.key]
  if (by) turn(by)
  if (step) turnStep(step)
  if (by || step) event.preventDefault()
})

dialog.addEventListener("close", () => {
  stage.replaceChildren()
  setQuery({ open: null })
})

addEventListener("kobo-patched", () => dialog.open && show())

const asked = new URLSearchParams(location.search).get("open")
if (asked) {
  const at = asked.lastIndexOf(":")
  name = asked.slice(0, at)
  const link = siblings()[Number(asked.slice(at + 1))]
  if (link) open(link)
}
