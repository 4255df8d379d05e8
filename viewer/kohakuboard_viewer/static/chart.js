// <kobo-chart data-metric data-src>: the curve of one metric, fetched at the resolution of the screen and only once
// it is in view, drawn by plot.js.

import { decode } from "./columns.js"
import { number, position } from "./format.js"
import { Plot } from "./plot.js"
import { view } from "./view.js"

// Ahead of scrolling, so that curves are there when they come into view.
const AHEAD = "400px"
// The server sends one to two buckets for each that is asked for: this makes it about one for each pixel.
const DENSITY = 0.7

class KoboChart extends HTMLElement {
  static observedAttributes = ["data-last", "data-detail"]

  #plot = null
  #drawn = null // what is drawn: { header, columns }
  #request = new AbortController()
  #stale = true
  #inView = false
  #width = 0

  connectedCallback() {
    this.#watch = new IntersectionObserver((entries) => this.#seen(entries.at(-1).isIntersecting), { rootMargin: AHEAD })
    this.#resize = new ResizeObserver(() => this.#resized())
    this.#watch.observe(this)
    this.#resize.observe(this.#place)
    view.addEventListener("change", this.#refetch)
    addEventListener("kobo-version", this.#refetch)
    addEventListener("kobo-theme", this.#redraw)
  }

  disconnectedCallback() {
    this.#watch.disconnect()
    this.#resize.disconnect()
    this.#request.abort()
    view.removeEventListener("change", this.#refetch)
    removeEventListener("kobo-version", this.#refetch)
    removeEventListener("kobo-theme", this.#redraw)
    this.#clear()
    this.#stale = true
  }

  attributeChangedCallback() {
    if (this.uplot?.cursor.idx == null) this.#sayLast()
  }

  /** Return the uPlot that draws the curve, undefined until there is one. */
  get uplot() {
    return this.#plot?.uplot
  }

  #watch
  #resize

  get #place() {
    return this.querySelector(".plot")
  }

  #refetch = () => {
    this.#stale = true
    if (this.#inView) this.#load()
  }

  #redraw = () => {
    this.#clear()
    if (this.#drawn) this.#draw(this.#drawn)
  }

  #seen(inView) {
    this.#inView = inView
    if (inView && this.#stale) this.#load()
  }

  #resized() {
    const width = this.#place.clientWidth
    if (width === 0 || width === this.#width) return
    this.#width = width
    this.uplot?.setSize({ width, height: this.uplot.height })
    this.#refetch()
  }

  async #load() {
    this.#stale = false
    this.#request.abort()
    this.#request = new AbortController()
    const { signal } = this.#request
    this.dataset.state = "loading"
    try {
      const response = await fetch(this.#address(), { signal, cache: "no-cache", headers: { Accept: "application/json" } })
      if (!response.ok) throw new Error((await response.json()).error)
      const found = decode(await response.arrayBuffer())
      if (signal.aborted) return
      this.#draw(found)
      this.dataset.state = "ready"
    } catch (error) {
      if (error.name === "AbortError") return
      this.#stale = true
      this.#fail(error)
    }
  }

  get #buckets() {
    return Math.max(Math.round(this.#place.clientWidth * DENSITY), 16)
  }

  #address() {
    const query = new URLSearchParams({ metric: this.dataset.metric, x: view.x, width: this.#buckets })
    if (view.smooth) query.set("smooth", view.smooth)
    if (view.zoomed) {
      query.set("lo", view.lo)
      query.set("hi", view.hi)
    }
    return `${this.dataset.src}${this.dataset.src.includes("?") ? "&" : "?"}${query}`
  }

  #draw(found) {
    this.#drawn = found
    if (this.#plot?.fits(found, view.log)) {
      this.#plot.update(found)
      return
    }
    this.#clear()
    this.#plot = new Plot(this.#place, found, {
      axis: found.header.x,
      log: view.log,
      zoom: (lo, hi) => view.set({ lo, hi }),
      point: (bucket) => (bucket === null ? this.#sayLast() : this.#sayBucket(bucket)),
    })
  }

  #clear() {
    this.uplot?.destroy()
    this.#plot = null
    this.#place.replaceChildren()
  }

  #sayLast() {
    this.#say(this.dataset.last, this.dataset.detail)
  }

  #sayBucket(i) {
    const { header, columns } = this.#drawn
    const { x_lo, x_hi, low, high, mean, count, nonfinite, smooth } = columns
    const from = position(x_lo[i], header.x)
    const where = x_lo[i] === x_hi[i] ? from : `${from} – ${position(x_hi[i], header.x).replace(/^step |^index /, "")}`
    const range = count[i] > 1 ? ` · ${number(low[i])} … ${number(high[i])}` : ""
    const bad = nonfinite[i] ? ` · ${number(nonfinite[i])} not finite` : ""
    const raw = smooth ? ` · raw ${number(mean[i])}` : ""
    this.#say(number(smooth ? smooth[i] : mean[i]), where + raw + range + bad)
  }

  #say(value, detail) {
    this.querySelector("output").textContent = value
    this.querySelector(".detail").textContent = detail
  }

  #fail(error) {
    this.#clear()
    const message = document.createElement("p")
    message.className = "failure"
    message.textContent = error instanceof TypeError ? "The server does not answer." : error.message
    this.#place.append(message)
    this.dataset.state = "error"
  }
}

customElements.define("kobo-chart", KoboChart)
