// The runs of a page of relations, read from its table of values, and which of them are picked out: by a range on any of
// the axes, shared by all plots and the table, kept in the URL as brush=LO:HI:KEY.

import { number } from "./format.js"
import { setQuery } from "./view.js"

const ROUNDED = 1e-4

class Picked extends EventTarget {
  axes = []
  runs = []
  #ranges = new Map()

  constructor() {
    super()
    this.read()
    for (const asked of new URLSearchParams(location.search).getAll("brush")) {
      const [, lo, hi, key] = /^([^:]+):([^:]+):(.+)$/.exec(asked) ?? []
      if (this.axis(key) && Number(lo) <= Number(hi)) this.#ranges.set(key, [Number(lo), Number(hi)])
    }
  }

  /** Take in what the table of values says now. */
  read() {
    this.axes = [...document.querySelectorAll("#values-table [data-axis]")].map(axisOf)
    this.runs = [...document.querySelectorAll("#values-table tbody tr")].map((row) => ({
      number: row.dataset.run,
      places: [...row.querySelectorAll("[data-place]")].map(({ dataset: { place } }) => (place === "" ? null : Number(place))),
    }))
  }

  axis(key) {
    return this.axes.find((axis) => axis.key === key)
  }

  /** Return the range that is picked out of an axis, in shares of it; null for all of it. */
  shares(key) {
    return this.#ranges.get(key)?.map(this.axis(key).share) ?? null
  }

  get any() {
    return this.#ranges.size > 0
  }

  /** Pick out a range of an axis given in shares; of null, or what is no less than all of it, all. */
  set(key, shares) {
    if (!shares || (shares[0] <= 0 && shares[1] >= 1)) this.#ranges.delete(key)
    else this.#ranges.set(key, shares.map((share) => this.axis(key).at(Math.min(Math.max(share, 0), 1))))
    this.#announce()
  }

  clear() {
    this.#ranges.clear()
    this.#announce()
  }

  has(run) {
    return this.axes.every(({ key, share }, i) => {
      const range = this.shares(key)
      // On the axis, where what is rounded off for the URL is less than a pixel.
      const [place, lo, hi] = range ? [share(run.places[i] ?? NaN), ...range] : [0, 0, 0]
      return place >= lo - ROUNDED && place <= hi + ROUNDED
    })
  }

  #announce() {
    const tidy = (value) => Number(value.toPrecision(6))
    setQuery({ brush: [...this.#ranges].map(([key, [lo, hi]]) => `${tidy(lo)}:${tidy(hi)}:${key}`) })
    this.dispatchEvent(new Event("change"))
  }
}

/** Return an axis: where a value is on it, from 0 to 1, and the other way round; see compare/scales.py. */
function axisOf({ dataset }) {
  const [low, high] = [Number(dataset.low), Number(dataset.high)]
  const names = dataset.names ? JSON.parse(dataset.names) : null
  const ratio = "log" in dataset ? Math.log(high / low) : 0
  return {
    key: dataset.axis,
    share: (value) => (ratio ? Math.log(value / low) / ratio : (value / 2 - low / 2) / (high / 2 - low / 2)),
    at: (share) => (ratio ? low * Math.exp(share * ratio) : low * (1 - share) + high * share),
    word: (value) => (names ? (names[Math.round(value)] ?? "") : number(Number(value.toPrecision(4)))),
  }
}

export const picked = new Picked()
