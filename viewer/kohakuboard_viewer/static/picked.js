// The runs of a page of relations, read from its table of values, and which of them are picked out: by a range on any of
// the axes, shared by all plots and the table, kept in the URL as brush=LO:HI:KEY.

import { number } from "./format.js"
import { setQuery } from "./view.js"

const ROUNDED = 1e-4
const WIDE = 50 // times as high as low, and an axis is logarithmic

class Picked extends EventTarget {
  axes = []
  runs = []
  #ranges = new Map()

  constructor() {
    super()
    this.read()
    for (const asked of new URLSearchParams(location.search).getAll("brush")) {
      const [, lo, hi, key] = /^([^:]+):([^:]+):(.+)$/.exec(asked) ?? []
      if (this.axes.some((axis) => axis.key === key) && Number(lo) <= Number(hi)) this.#ranges.set(key, [Number(lo), Number(hi)])
    }
  }

  /** Take in what the table of values says now. */
  read() {
    const heads = [...document.querySelectorAll("#values-table [data-axis]")]
    this.runs = [...document.querySelectorAll("#values-table tbody tr")].map((row) => ({
      row,
      name: row.querySelector("a").textContent,
      hue: row.dataset.hue,
      places: [...row.querySelectorAll("[data-place]")].map((cell) => (cell.dataset.place === "" ? null : Number(cell.dataset.place))),
    }))
    this.axes = heads.map((head, i) => axisOf(head, this.runs.map((run) => run.places[i]).filter((place) => place !== null)))
  }

  axis(key) {
    return this.axes.findIndex((axis) => axis.key === key)
  }

  range(key) {
    return this.#ranges.get(key) ?? null
  }

  get any() {
    return this.#ranges.size > 0
  }

  /** Pick out a range of an axis, or with null all of it. */
  set(key, range) {
    if (range) this.#ranges.set(key, range)
    else this.#ranges.delete(key)
    this.#announce()
  }

  clear() {
    this.#ranges.clear()
    this.#announce()
  }

  has(run) {
    return this.axes.every((axis, i) => {
      const range = this.#ranges.get(axis.key)
      if (!range) return true
      if (run.places[i] === null) return false
      // On the axis, where what is rounded off for the URL is less than a pixel.
      const [lo, place, hi] = [range[0], run.places[i], range[1]].map(axis.share)
      return place >= lo - ROUNDED && place <= hi + ROUNDED
    })
  }

  /** Point at a run, so that each plot shows where it is; null for none. */
  point(run) {
    for (const each of document.querySelectorAll(".pointed")) each.classList.remove("pointed")
    if (run !== null) for (const each of document.querySelectorAll(`[data-run="${run}"]`)) each.classList.add("pointed")
  }

  show() {
    this.runs.forEach((run, i) => {
      run.row.dataset.run = i
      run.row.classList.toggle("out", !this.has(run))
    })
  }

  #announce() {
    setQuery({ brush: [...this.#ranges].map(([key, [lo, hi]]) => `${tidy(lo)}:${tidy(hi)}:${key}`) })
    this.dispatchEvent(new Event("change"))
  }
}

function tidy(value) {
  return Number(value.toPrecision(6))
}

/** Return an axis: where a value is on it, from 0 to 1, and the other way round. */
function axisOf(head, places) {
  const names = head.dataset.names ? JSON.parse(head.dataset.names) : null
  let [low, high] = names ? [0, names.length - 1] : [Math.min(...places), Math.max(...places)]
  if (!(low < high)) [low, high] = places.length ? [low - 0.5, low + 0.5] : [0, 1]
  const log = !names && low > 0 && high / low > WIDE
  const [from, to] = log ? [Math.log(low), Math.log(high)] : [low, high]
  const at = (share) => (log ? Math.exp(from + share * (to - from)) : from + share * (to - from))
  return {
    key: head.dataset.axis,
    label: head.textContent,
    log,
    share: (value) => ((log ? Math.log(value) : value) - from) / (to - from),
    at,
    step: names ? 1 / Math.max(names.length - 1, 1) : 0.05,
    word: (value) => (names ? (names[Math.round(value)] ?? "") : number(Number(value.toPrecision(4)))),
    ticks: names ? names.map((_, i) => i) : [0, 0.25, 0.5, 0.75, 1].map(at),
  }
}

/** Return an element of a drawing. */
export function drawn(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

export const picked = new Picked()
