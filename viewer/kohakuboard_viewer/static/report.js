// The script of an exported report: draws the curves that the file itself holds, and zooms all of its charts together.

import { decode } from "./columns.js"
import { number, position } from "./format.js"
import { Plot } from "./plot.js"

const AHEAD = "400px"
const view = { log: false, clip: false, low: null, high: null, lo: null, hi: null }
const charts = []

class Chart {
  #found = null
  #plot = null

  constructor(element) {
    this.element = element
    this.place = element.querySelector(".plot")
    new IntersectionObserver(([{ isIntersecting }], watch) => isIntersecting && (watch.disconnect(), this.#open()), { rootMargin: AHEAD }).observe(element)
    new ResizeObserver(() => this.#plot?.uplot.setSize({ width: this.place.clientWidth, height: this.place.clientHeight })).observe(this.place)
  }

  get uplot() {
    return this.#plot?.uplot
  }

  /** Draw anew, as the view now is. */
  draw() {
    if (!this.#found) return
    const found = this.#window()
    if (this.#plot?.fits(found, view.log)) return this.#plot.update(found)
    this.clear()
    this.#plot = new Plot(this.place, found, { view, zoom, point: (bucket) => this.#say(bucket) })
  }

  clear() {
    this.#plot?.destroy()
    this.#plot = null
  }

  async #open() {
    const packed = Uint8Array.from(atob(this.element.querySelector("script").textContent.trim()), (letter) => letter.charCodeAt(0))
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))
    this.#found = decode(await new Response(unpacked).arrayBuffer())
    this.draw()
    this.element.dataset.state = "ready"
  }

  #window() {
    const { header, columns } = this.#found
    return view.lo === null ? this.#found : { header: { ...header, lo: view.lo, hi: view.hi }, columns }
  }

  #say(bucket) {
    const { header, columns } = this.#found
    const { x_lo, x_hi, mean } = columns
    const values = header.curves.map((_, i) => (bucket === null ? null : mean[i * x_lo.length + bucket]))
    this.#plot?.legend?.say(values)
    this.element.querySelector("output").textContent = values.length === 1 && bucket !== null ? number(values[0]) : ""
    this.element.querySelector(".detail").textContent = bucket === null ? "" : position((x_lo[bucket] + x_hi[bucket]) / 2, header)
  }
}

function zoom(lo, hi) {
  Object.assign(view, { lo, hi })
  reset.disabled = lo === null
  for (const chart of charts) chart.draw()
}

const reset = document.getElementById("reset")
reset.addEventListener("click", () => zoom(null, null))
document.getElementById("log").addEventListener("change", ({ target }) => {
  view.log = target.checked
  for (const chart of charts) chart.draw()
})
addEventListener("kobo-theme", () => {
  for (const chart of charts) {
    chart.clear()
    chart.draw()
  }
})
for (const element of document.querySelectorAll(".report-chart")) {
  element.chart = new Chart(element)
  charts.push(element.chart)
}
