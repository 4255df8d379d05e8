// The script of the tab that draws what came out against what was set. The server draws it. A range of an axis is picked
// out by dragging along it, or by the arrow keys on its two handles; one of two axes by dragging in the scatter plot.

import { onDrag } from "./events.js"
import { picked } from "./picked.js"

const LEAST_DRAG = 3
const clear = document.getElementById("clear-brush")

/** Show what is picked out. */
function show() {
  for (const run of picked.runs) {
    for (const each of document.querySelectorAll(`[data-run="${run.number}"]`)) each.classList.toggle("out", !picked.has(run))
  }
  for (const axis of document.querySelectorAll(".parallel .axis")) showAxis(axis)
  const { across, up } = document.getElementById("scatter").dataset
  const [x, y] = [picked.shares(across), picked.shares(up)]
  const band = document.querySelector(".scatter .band")
  if (band) place(band, x || y ? [x ?? [0, 1], y ?? [0, 1]] : null)
  clear.disabled = !picked.any
}

function showAxis(axis) {
  const { key } = axis.dataset
  const shares = picked.shares(key)
  place(axis.querySelector(".band"), shares && [null, shares])
  axis.querySelectorAll(".handle").forEach((handle, end) => {
    const share = (shares ?? [0, 1])[end]
    handle.parentNode.setAttribute("y", percent(1 - share))
    handle.setAttribute("aria-valuenow", Math.round(share * 100))
    handle.setAttribute("aria-valuetext", picked.axis(key).word(picked.axis(key).at(share)))
  })
}

/** Lay a band over shares of both axes; none of the x axis where the band has its own width. */
function place(band, shares) {
  band.toggleAttribute("hidden", !shares)
  if (!shares) return
  const [x, [lo, hi]] = shares
  const box = { y: percent(1 - hi), height: percent(hi - lo), ...(x && { x: percent(x[0]), width: percent(x[1] - x[0]) }) }
  for (const [name, value] of Object.entries(box)) band.setAttribute(name, value)
}

function percent(share) {
  return `${share * 100}%`
}

/** Point at a run, so that each plot shows where it is. */
function point({ target }) {
  const run = target.closest?.("[data-run]")?.dataset.run
  for (const each of document.querySelectorAll(".pointed")) each.classList.remove("pointed")
  if (run) for (const each of document.querySelectorAll(`[data-run="${run}"]`)) each.classList.add("pointed")
}

function pressed(event) {
  const axis = event.target.closest?.(".handle") && event.target.closest(".axis")
  if (!axis) return
  const step = Number(axis.dataset.step)
  const shares = picked.shares(axis.dataset.key) ?? [0, 1]
  const end = [...axis.querySelectorAll(".handle")].indexOf(event.target)
  const now = shares[end]
  const wanted = { ArrowUp: now + step, ArrowDown: now - step, PageUp: now + 5 * step, PageDown: now - 5 * step, Home: 0, End: 1 }[event.key]
  if (wanted === undefined && event.key !== "Escape") return
  event.preventDefault()
  shares[end] = end ? Math.max(wanted, shares[0]) : Math.min(wanted, shares[1])
  picked.set(axis.dataset.key, event.key === "Escape" ? null : shares)
}

/** Follow a drag over a plot: along the axis that it began at, or across both of the scatter plot. */
function dragged(down) {
  if (!down.target.matches(".hit")) return null
  const { key } = down.target.closest(".axis")?.dataset ?? {}
  const { across, up } = document.getElementById("scatter").dataset
  const box = (key ? down.target.parentNode.querySelector("line") : down.target).getBoundingClientRect()
  const shares = ({ clientX, clientY }) => [(clientX - box.left) / box.width, (box.bottom - clientY) / box.height]
  const isFar = ({ clientX, clientY }) => Math.hypot(key ? 0 : clientX - down.clientX, clientY - down.clientY) >= LEAST_DRAG
  const pick = (of) => {
    if (!key) picked.set(across, of(0))
    picked.set(key ?? up, of(1))
  }
  return {
    move: (event) => isFar(event) && pick((i) => [shares(down)[i], shares(event)[i]].sort((a, b) => a - b)),
    end: (event) => isFar(event) || pick(() => null),
  }
}

if (clear) {
  clear.addEventListener("click", () => picked.clear())
  picked.addEventListener("change", show)
  addEventListener("kobo-patched", () => {
    picked.read()
    show()
  })
  document.addEventListener("pointerover", point)
  document.addEventListener("keydown", pressed)
  onDrag(document, dragged)
  show()
}
