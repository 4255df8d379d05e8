// The toolbar over the charts: what is set there is set in the view, and the other way round.

import { view } from "./view.js"

const AXES = ["step", "index", "relative", "wall"]
const form = document.getElementById("view")
const { x, metric, smooth, way, low, high, by, band, reset } = form.elements
const weight = form.querySelector(".weight")
const more = form.querySelector("summary")

function show() {
  x.value = AXES.includes(view.x) ? view.x : ""
  if (document.activeElement !== metric) metric.value = AXES.includes(view.x) ? "" : view.x
  const told = [!AXES.includes(view.x) && `By ${view.x}`, by && view.by && `Mean by ${view.by}`].filter(Boolean)
  more.textContent = told.join(", ") || "More"
  smooth.value = view.smooth
  way.value = view.way
  if (by) [by.value, band.value] = [view.by, view.band]
  weight.textContent = view.smooth ? String(Number(view.smooth.toFixed(4))) : "off"
  for (const name of ["log", "clip", "attempts"]) if (form.elements[name]) form.elements[name].checked = view[name]
  if (document.activeElement !== low) low.value = view.low ?? ""
  if (document.activeElement !== high) high.value = view.high ?? ""
  reset.disabled = !view.zoomed
}

form.addEventListener("input", ({ target }) => {
  if (target === smooth) view.set({ smooth: Number(smooth.value) })
  if (target.type === "radio") view.set({ x: target.value })
  if (target.type === "checkbox") view.set({ [target.name]: target.checked })
})
form.addEventListener("change", ({ target }) => {
  if (target === metric) view.set({ x: metric.value || "step" })
  if ([way, by, band].includes(target)) view.set({ [target.name]: target.value })
  if (target === low || target === high) view.set({ [target.name]: target.value === "" ? null : Number(target.value) })
})
form.addEventListener("submit", (event) => event.preventDefault())
reset.addEventListener("click", () => view.set({ lo: null, hi: null }))
view.addEventListener("change", show)
show()
