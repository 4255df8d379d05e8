// <kobo-parallel>: a line for each run across an axis for each value. A range of an axis is picked out by dragging, or by
// the arrow keys on its two handles.

import { onDrag } from "./events.js"
import { drawn, picked } from "./picked.js"

const [HEIGHT, TOP, BOTTOM, SIDE] = [320, 44, 18, 70]
const LEAST_WIDTH = 104 // between two axes
const LEAST_DRAG = 3

class KoboParallel extends HTMLElement {
  #axes = []
  #lines = []

  connectedCallback() {
    this.#draw()
    new ResizeObserver(() => this.#draw()).observe(this)
    picked.addEventListener("read", () => this.#draw())
    picked.addEventListener("change", () => this.#mark())
  }

  #draw() {
    const { axes, runs } = picked
    const width = Math.max(this.clientWidth, 2 * SIDE + LEAST_WIDTH * (axes.length - 1))
    const x = axes.map((_, i) => (axes.length > 1 ? SIDE + (i * (width - 2 * SIDE)) / (axes.length - 1) : width / 2))
    this.#lines = runs.map((run, i) => drawn("path", { class: `run hue-${run.hue}`, d: path(run, axes, x), "data-run": i }, drawn("title", {}, run.name)))
    const letters = axes.length > 1 ? Math.floor((x[1] - x[0]) / 7.2) : 40
    this.#axes = axes.map((axis, i) => new Axis(axis, x[i], letters))
    const all = [...this.#lines, ...this.#axes.map((axis) => axis.group)]
    this.replaceChildren(drawn("svg", { width, height: HEIGHT, role: "group", "aria-label": "Parallel coordinates" }, ...all))
    this.#mark()
  }

  #mark() {
    picked.runs.forEach((run, i) => this.#lines[i]?.classList.toggle("out", !picked.has(run)))
    for (const axis of this.#axes) axis.mark()
  }
}

class Axis {
  constructor(axis, x, letters) {
    this.axis = axis
    this.x = x
    this.band = drawn("rect", { class: "band", x: x - 7, width: 14 })
    this.handles = [0, 1].map((end) => this.#handle(end))
    const label = drawn("text", { class: "label", x, y: 16 }, axis.label.length > letters ? `…${axis.label.slice(1 - letters)}` : axis.label, drawn("title", {}, axis.label))
    const ticks = axis.ticks.map((value) => drawn("text", { x: x + 9, y: yOf(axis.share(value)) + 4 }, axis.word(value)))
    const hit = drawn("rect", { class: "hit", x: x - 16, y: TOP - 8, width: 32, height: HEIGHT - TOP - BOTTOM + 16 })
    this.#drag(hit)
    this.group = drawn("g", { class: "axis" }, drawn("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }), label, ...ticks, this.band, hit, ...this.handles)
  }

  get shares() {
    return picked.range(this.axis.key)?.map((value) => this.axis.share(value)) ?? [0, 1]
  }

  mark() {
    const [lo, hi] = this.shares
    const active = picked.range(this.axis.key) !== null
    this.band.setAttribute("y", yOf(hi))
    this.band.setAttribute("height", active ? Math.max(yOf(lo) - yOf(hi), 1) : 0)
    this.handles.forEach((handle, end) => {
      const share = this.shares[end]
      handle.setAttribute("transform", `translate(${this.x} ${yOf(share) + (end ? -5 : 5)})`)
      handle.setAttribute("aria-valuenow", Math.round(share * 100))
      handle.setAttribute("aria-valuetext", this.axis.word(this.axis.at(share)))
    })
  }

  #handle(end) {
    const words = `${this.axis.label} ${end ? "up to" : "from"}`
    const handle = drawn(
      "path",
      { class: "handle", d: end ? "M-7,4L0,-5L7,4Z" : "M-7,-4L0,5L7,-4Z", tabindex: 0, role: "slider", "aria-label": words, "aria-orientation": "vertical", "aria-valuemin": 0, "aria-valuemax": 100 },
    )
    handle.addEventListener("keydown", (event) => this.#key(event, end))
    return handle
  }

  #key(event, end) {
    const { step } = this.axis
    const shares = [...this.shares]
    const wanted = { ArrowUp: shares[end] + step, ArrowDown: shares[end] - step, PageUp: shares[end] + 5 * step, PageDown: shares[end] - 5 * step, Home: 0, End: 1 }[event.key]
    if (event.key === "Escape") picked.set(this.axis.key, null)
    else if (wanted === undefined) return
    else {
      shares[end] = end ? Math.max(wanted, shares[0]) : Math.min(wanted, shares[1])
      this.#pick(...shares)
    }
    event.preventDefault()
  }

  #drag(hit) {
    onDrag(hit, (down) => {
      const top = hit.ownerSVGElement.getBoundingClientRect().top
      const shareOf = (event) => (HEIGHT - BOTTOM - (event.clientY - top)) / (HEIGHT - TOP - BOTTOM)
      const isFar = (event) => Math.abs(event.clientY - down.clientY) >= LEAST_DRAG
      return {
        move: (event) => isFar(event) && this.#pick(...[shareOf(down), shareOf(event)].sort((a, b) => a - b)),
        end: (event) => isFar(event) || picked.set(this.axis.key, null),
      }
    })
  }

  /** Pick out a range given in shares; one that is all of the axis is none. */
  #pick(lo, hi) {
    const [from, to] = [Math.max(lo, 0), Math.min(hi, 1)]
    picked.set(this.axis.key, from <= 0 && to >= 1 ? null : [this.axis.at(from), this.axis.at(to)])
  }
}

function yOf(share) {
  return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

/** Return the line of a run; it has gaps where a value is missing. */
function path(run, axes, x) {
  let [d, pen] = ["", false]
  axes.forEach((axis, i) => {
    const place = run.places[i]
    if (place !== null) d += `${pen ? "L" : "M"}${x[i].toFixed(1)},${yOf(axis.share(place)).toFixed(1)}`
    pen = place !== null
  })
  return d
}

customElements.define("kobo-parallel", KoboParallel)
