// <kobo-heatmap data-src data-version data-step>: the histograms of all steps, fetched once it is in view. A column is
// some steps, a row a range of values; a click chooses the step, the cursor reads a cell.

import { decode } from "./columns.js"
import { number } from "./format.js"
import { go } from "./links.js"

const AHEAD = "400px"
const HEIGHT = 190
const LEFT = 58
const BOTTOM = 18
const FONT = "11px system-ui, sans-serif"
const ROWS = 64
const MOST_COLUMNS = 600
// The root shows the thin tails of a distribution beside its peak.
const SHADE = Math.sqrt

class KoboHeatmap extends HTMLElement {
  static observedAttributes = ["data-version", "data-step"]

  #found = null
  #image = null
  #inView = false
  #stale = true
  #request = new AbortController()
  #watch
  #resize

  connectedCallback() {
    this.#watch = new IntersectionObserver((entries) => this.#seen(entries.at(-1).isIntersecting), { rootMargin: AHEAD })
    this.#resize = new ResizeObserver(() => this.#draw())
    this.#watch.observe(this)
    this.#resize.observe(this)
    addEventListener("kobo-theme", this.#recolour)
    this.#canvas.addEventListener("pointermove", this.#read)
    this.#canvas.addEventListener("pointerleave", this.#leave)
    this.#canvas.addEventListener("click", this.#choose)
  }

  disconnectedCallback() {
    this.#watch.disconnect()
    this.#resize.disconnect()
    this.#request.abort()
    removeEventListener("kobo-theme", this.#recolour)
  }

  attributeChangedCallback(name, before, now) {
    if (before === null || before === now) return
    if (name === "data-step") this.#draw()
    else {
      this.#stale = true
      if (this.#inView) this.#load()
    }
  }

  get #canvas() {
    return this.querySelector("canvas")
  }

  get #plot() {
    return { x: LEFT, y: 4, width: Math.max(this.#canvas.clientWidth - LEFT - 4, 1), height: HEIGHT - BOTTOM - 4 }
  }

  #seen(inView) {
    this.#inView = inView
    if (inView && this.#stale) this.#load()
  }

  async #load() {
    this.#stale = false
    this.#request.abort()
    this.#request = new AbortController()
    const { signal } = this.#request
    const size = new URLSearchParams({ columns: Math.min(Math.max(this.#plot.width, 16), MOST_COLUMNS), rows: ROWS })
    try {
      const response = await fetch(`${this.dataset.src}&${size}`, { signal, cache: "no-cache", headers: { Accept: "application/json" } })
      if (!response.ok) throw new Error((await response.json()).error)
      this.#found = decode(await response.arrayBuffer())
      this.#recolour()
      this.#say("")
      this.dataset.state = "ready"
    } catch (error) {
      if (error.name === "AbortError") return
      this.#stale = true
      this.dataset.state = "error"
      this.#say(error instanceof TypeError ? "The server does not answer." : error.message)
    }
  }

  #recolour = () => {
    if (!this.#found) return
    this.#image = cells(this.#found, getComputedStyle(this).getPropertyValue("--line"))
    this.#draw()
  }

  #draw() {
    if (!this.#image) return
    const canvas = this.#canvas
    const scale = devicePixelRatio
    const width = canvas.clientWidth
    canvas.width = width * scale
    canvas.height = HEIGHT * scale
    const context = canvas.getContext("2d")
    context.scale(scale, scale)
    const style = getComputedStyle(this)
    const area = this.#plot
    context.imageSmoothingEnabled = false
    context.drawImage(this.#image, area.x, area.y, area.width, area.height)
    context.strokeStyle = style.getPropertyValue("--grid")
    context.strokeRect(area.x - 0.5, area.y - 0.5, area.width + 1, area.height + 1)
    context.font = FONT
    context.fillStyle = style.getPropertyValue("--muted")
    this.#label(context, area)
    this.#mark(context, area, style.getPropertyValue("--danger"))
  }

  #label(context, area) {
    const { edges, step_lo, step_hi } = this.#found.columns
    context.textAlign = "right"
    context.textBaseline = "middle"
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const value = edges[0] + share * (edges.at(-1) - edges[0])
      const y = area.y + (1 - share) * area.height
      context.fillText(short(value), area.x - 6, Math.min(Math.max(y, area.y + 6), area.y + area.height - 6))
    }
    context.textBaseline = "alphabetic"
    const base = HEIGHT - 4
    context.textAlign = "left"
    context.fillText(number(step_lo[0]), area.x, base)
    context.textAlign = "right"
    if (step_lo.length > 1) context.fillText(number(step_hi.at(-1)), area.x + area.width, base)
    if (this.#found.header.outside > 1e-9) {
      context.textAlign = "center"
      context.fillText(`${number(this.#found.header.outside * 100)} % of the values lie beyond`, area.x + area.width / 2, base)
    }
  }

  #mark(context, area, colour) {
    const { step_lo } = this.#found.columns
    if (this.dataset.step === "" || step_lo.length < 2) return
    const column = step_lo.findLastIndex((step) => step <= Number(this.dataset.step))
    const width = area.width / step_lo.length
    context.strokeStyle = colour
    const x = area.x + (Math.max(column, 0) + 0.5) * width
    context.beginPath()
    context.moveTo(x, area.y)
    context.lineTo(x, area.y + area.height)
    context.stroke()
  }

  #cell(event) {
    if (!this.#found) return null
    const { header, columns } = this.#found
    const area = this.#plot
    const column = Math.floor(((event.offsetX - area.x) / area.width) * columns.step_lo.length)
    const row = Math.floor((1 - (event.offsetY - area.y) / area.height) * header.rows)
    const inside = column >= 0 && column < columns.step_lo.length && row >= 0 && row < header.rows
    return inside ? { column, row } : null
  }

  #read = (event) => {
    const cell = this.#cell(event)
    if (!cell) return this.#say("")
    const { header, columns } = this.#found
    const { step_lo, step_hi, edges, share } = columns
    const from = number(step_lo[cell.column])
    const to = step_hi[cell.column] > step_lo[cell.column] ? ` – ${number(step_hi[cell.column])}` : ""
    const part = share[cell.column * header.rows + cell.row] * 100
    this.#say(`step ${from}${to} · ${number(edges[cell.row])} … ${number(edges[cell.row + 1])} · ${number(part)} %`)
  }

  #leave = () => this.#say("")

  #choose = (event) => {
    const cell = this.#cell(event)
    if (cell) go({ step: this.#found.columns.step_hi[cell.column] })
  }

  #say(text) {
    this.querySelector("output").textContent = text
  }
}

/** Return a small canvas with a pixel for each cell, the more opaque the more it holds. */
function cells({ header, columns }, colour) {
  const { share } = columns
  const [width, height] = [columns.step_lo.length, header.rows]
  const canvas = document.createElement("canvas")
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext("2d")
  const image = context.createImageData(width, height)
  const [red, green, blue] = colour.match(/[\d.]+/g).map(Number)
  const top = share.reduce((a, b) => Math.max(a, b), 0) || 1
  for (let i = 0; i < share.length; i++) {
    const at = ((height - 1 - (i % height)) * width + Math.floor(i / height)) * 4
    image.data.set([red, green, blue, SHADE(share[i] / top) * 255], at)
  }
  context.putImageData(image, 0, 0)
  return canvas
}

function short(value) {
  return number(Number(value.toPrecision(3)))
}

customElements.define("kobo-heatmap", KoboHeatmap)
