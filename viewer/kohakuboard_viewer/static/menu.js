// The menu of a chart: what can be done with it as a whole.

import { go } from "./links.js"

/** Return the menu of a <kobo-chart>. */
export function menuOf(chart) {
  const menu = document.createElement("details")
  menu.className = "chart-menu"
  const title = document.createElement("summary")
  title.textContent = "⋯"
  title.setAttribute("aria-label", `More of ${chart.querySelector("h3").title}`)
  const entries = document.createElement("div")
  const add = (words, act) => {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = words
    button.addEventListener("click", () => {
      menu.open = false
      act()
    })
    entries.append(button)
  }
  add("Full screen", () => fullScreen(chart))
  add("Save as PNG", () => savePicture(chart))
  add("Save as SVG", () => save(chart.address("svg"), `${nameOf(chart)}.svg`))
  add("Save as CSV", () => save(chart.address("csv"), `${nameOf(chart)}.csv`))
  if (document.getElementById("pinned")) for (const [words, pins] of pinning(chart)) add(words, () => go({ pin: pins() }))
  menu.append(title, entries)
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return
    menu.open = false
    title.focus()
  })
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget)) menu.open = false
  })
  return menu
}

/** Return what can be done with a chart and those that are pinned, each with what is pinned then. */
function pinning(chart) {
  const encode = (name) => name.replace(/[%,;]/g, encodeURIComponent)
  const own = new URL(chart.dataset.src, location.href).searchParams.getAll("metric").map(encode).join(",")
  const pins = () => (new URLSearchParams(location.search).get("pin") ?? "").split(";").filter(Boolean)
  if (chart.closest("#pinned")) return [["Unpin", () => pins().filter((pin) => pin !== own).join(";")]]
  const joined = ([...most], last) => [...most, last ? `${last},${own}` : own].join(";")
  return [
    ["Pin", () => [...pins().filter((pin) => pin !== own), own].join(";")],
    ["Add to last pinned", () => joined(pins().slice(0, -1), pins().at(-1))],
  ]
}

/** Show a chart on the whole screen, or no more. */
export function fullScreen(chart) {
  if (document.fullscreenElement) document.exitFullscreen()
  else chart.requestFullscreen()
}

/** Save what is seen, on the ground of the page: a canvas alone is transparent. */
function savePicture(chart) {
  const { canvas } = chart.uplot.ctx
  const copy = new OffscreenCanvas(canvas.width, canvas.height)
  const context = copy.getContext("2d")
  context.fillStyle = getComputedStyle(chart).backgroundColor
  context.fillRect(0, 0, copy.width, copy.height)
  context.drawImage(canvas, 0, 0)
  copy.convertToBlob().then((blob) => {
    const url = URL.createObjectURL(blob)
    save(url, `${nameOf(chart)}.png`)
    URL.revokeObjectURL(url)
  })
}

function save(url, name) {
  const link = document.createElement("a")
  link.href = url
  link.download = name
  link.click()
}

function nameOf(chart) {
  return chart.querySelector("h3").title.replace(/[^\w.-]+/g, "_")
}
