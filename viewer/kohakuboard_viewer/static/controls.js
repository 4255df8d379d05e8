// The toolbar over the charts: what is set there is set in the view, and the other way round.

import { view } from "./view.js"

const form = document.getElementById("view")
const { x, smooth, log, reset } = form.elements
const weight = form.querySelector("output")

function show() {
  x.value = view.x
  smooth.value = view.smooth
  weight.textContent = view.smooth ? view.smooth.toFixed(2) : "off"
  log.checked = view.log
  reset.disabled = !view.zoomed
}

form.addEventListener("input", (event) => {
  if (event.target.name === "x") view.set({ x: event.target.value })
  if (event.target === smooth) view.set({ smooth: Number(smooth.value) })
  if (event.target === log) view.set({ log: log.checked })
})
form.addEventListener("submit", (event) => event.preventDefault())
reset.addEventListener("click", () => view.set({ lo: null, hi: null }))
view.addEventListener("change", show)
show()
