// <kobo-heatmap data-src data-version data-step>: the histograms of all steps, fetched once it is in view. A column is
// some steps, a row a range of values; a click chooses the step, the cursor reads a cell.

import { Fetched } from "./fetched.js"
import { number } from "./format.js"
import { go } from "./links.js"

const ROWS = 64
const MOST_COLUMNS = 600
// The root shows the thin tails of a distribution beside its peak.
const SHADE = Math.sqrt

class KoboHeatmap extends Fetched {
  static observedAttributes = ["data-version", "data-step"]

  #found = null
  #canvas = this.querySelector("canvas")

  connectedCallback() {
    super.connectedCallback()
    addEventListener("kobo-theme", this.#paint)
    this.#canvas.onpointermove = (event) => this.#read(this.#cell(event))
    this.#canvas.onpointerleave = () => this.#read(null)
    this.#canvas.onclick = (event) => {
      const cell = this.#cell(event)
      if (cell) go({ step: this.#found.columns.step_hi[cell.column] })
    }
  }

  disconnectedCallback() {
    super.disconnectedCallback()
    removeEventListener("kobo-theme", this.#paint)
  }

  attributeChangedCallback(name, before, now) {
    if (before === null || before === now) return
    if (name === "data-step") this.#mark()
    else this.refetch()
  }

  address() {
    const columns = Math.min(Math.max(this.#canvas.clientWidth, 16), MOST_COLUMNS)
    return `${this.dataset.src}&${new URLSearchParams({ columns, rows: ROWS })}`
  }

  take(found) {
    this.#found = found
    this.#paint()
    this.#label()
    this.#mark()
    this.#read(null)
  }

  fail(words) {
    this.querySelector("output").textContent = words
  }

  /** Paint a pixel for each cell, the more opaque the more it holds; the style sheet makes it as large as there is room. */
  #paint = () => {
    if (!this.#found) return
    const { header, columns } = this.#found
    const { share } = columns
    const [width, height] = [columns.step_lo.length, header.rows]
    const image = new ImageData(width, height)
    const [red, green, blue] = getComputedStyle(this).getPropertyValue("--line").match(/[\d.]+/g).map(Number)
    const top = share.reduce((a, b) => Math.max(a, b), 0) || 1
    for (let i = 0; i < share.length; i++) {
      const at = ((height - 1 - (i % height)) * width + Math.floor(i / height)) * 4
      image.data.set([red, green, blue, SHADE(share[i] / top) * 255], at)
    }
    Object.assign(this.#canvas, { width, height }).getContext("2d").putImageData(image, 0, 0)
  }

  #label() {
    const { header, columns } = this.#found
    const { edges, step_lo, step_hi } = columns
    const heights = [1, 0.75, 0.5, 0.25, 0].map((share) => edges[0] + share * (edges.at(-1) - edges[0]))
    const beyond = header.outside > 1e-9 ? `${number(header.outside * 100)} % of the values lie beyond` : ""
    fill(this.querySelector(".values"), heights.map((value) => number(Number(value.toPrecision(3)))))
    fill(this.querySelector(".ends"), [number(step_lo[0]), beyond, step_lo.length > 1 ? number(step_hi.at(-1)) : ""])
  }

  #mark() {
    const steps = this.#found?.columns.step_lo ?? []
    const column = steps.findLastIndex((step) => step <= Number(this.dataset.step))
    const mark = this.querySelector(".mark")
    mark.hidden = this.dataset.step === "" || steps.length < 2
    mark.style.left = `${((Math.max(column, 0) + 0.5) / steps.length) * 100}%`
  }

  #cell({ offsetX, offsetY }) {
    if (!this.#found) return null
    const { clientWidth, clientHeight, width, height } = this.#canvas
    const column = Math.floor((offsetX / clientWidth) * width)
    const row = Math.floor((1 - offsetY / clientHeight) * height)
    return column in this.#found.columns.step_lo && row >= 0 && row < height ? { column, row } : null
  }

  #read(cell) {
    const output = this.querySelector("output")
    output.textContent = ""
    if (!cell) return
    const { step_lo, step_hi, edges, share } = this.#found.columns
    const [from, to] = [step_lo[cell.column], step_hi[cell.column]].map(number)
    const part = share[cell.column * this.#canvas.height + cell.row] * 100
    output.textContent = `step ${from === to ? from : `${from} – ${to}`} · ${number(edges[cell.row])} … ${number(edges[cell.row + 1])} · ${number(part)} %`
  }
}

/** Let an element hold words, each in a part of its own. */
function fill(element, words) {
  const parts = words.map((word) => Object.assign(document.createElement("span"), { textContent: word }))
  element.replaceChildren(...parts)
}

customElements.define("kobo-heatmap", KoboHeatmap)
