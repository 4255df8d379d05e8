// The menu of a chart: what can be done with it as a whole.

import { go } from "./links.js"

/** Return the menu of a <kobo-chart>, a copy of the page's template. */
export function menuOf(chart) {
  const menu = document.getElementById("chart-menu").content.firstElementChild.cloneNode(true)
  menu.querySelector("summary").setAttribute("aria-label", `More of ${chart.querySelector("h3").title}`)
  menu.addEventListener("click", ({ target: { value } }) => {
    if (!value) return
    menu.open = false
    ACTIONS[value](chart)
  })
  return menu
}

const ACTIONS = {
  full: fullScreen,
  png: savePicture,
  svg: (chart) => save(chart.addressAs("svg"), `${nameOf(chart)}.svg`),
  csv: (chart) => save(chart.addressAs("csv"), `${nameOf(chart)}.csv`),
  pin: (chart) => go({ pin: [...otherPins(chart), ownPin(chart)].join(";") }),
  join: (chart) => {
    const [last, ...most] = pins().reverse()
    go({ pin: [...most.reverse(), last ? `${last},${ownPin(chart)}` : ownPin(chart)].join(";") })
  },
  unpin: (chart) => go({ pin: otherPins(chart).join(";") }),
}

function pins() {
  return (new URLSearchParams(location.search).get("pin") ?? "").split(";").filter(Boolean)
}

function otherPins(chart) {
  return pins().filter((pin) => pin !== ownPin(chart))
}

function ownPin(chart) {
  const metrics = new URL(chart.dataset.src, location.href).searchParams.getAll("metric")
  return metrics.map((name) => name.replace(/[%,;]/g, encodeURIComponent)).join(",")
}

/** Show a chart on the whole screen, or no more. */
export function fullScreen(chart) {
  if (document.fullscreenElement) document.exitFullscreen()
  else chart.requestFullscreen()
}

/** Save what is seen, on the ground of the page: a canvas alone is transparent. */
async function savePicture(chart) {
  const { canvas } = chart.uplot.ctx
  const copy = new OffscreenCanvas(canvas.width, canvas.height)
  const context = copy.getContext("2d")
  context.fillStyle = getComputedStyle(chart).backgroundColor
  context.fillRect(0, 0, copy.width, copy.height)
  context.drawImage(canvas, 0, 0)
  const url = URL.createObjectURL(await copy.convertToBlob())
  save(url, `${nameOf(chart)}.png`)
  URL.revokeObjectURL(url)
}

function save(href, download) {
  Object.assign(document.createElement("a"), { href, download }).click()
}

function nameOf(chart) {
  return chart.querySelector("h3").title.replace(/[^\w.-]+/g, "_")
}
