// <kobo-chart data-src>: the curves that a URL of /series names, fetched at the resolution of the screen and only once
// they are in view, drawn by plot.js. data-last and data-detail are said while the cursor is elsewhere.

import { continued, decode } from "./columns.js"
import { number, position } from "./format.js"
import { fullScreen, menuOf } from "./menu.js"
import { Plot, rounded } from "./plot.js"
import { view } from "./view.js"

// Ahead of scrolling, so that curves are there when they come into view.
const AHEAD = "400px"
// The server sends one to two buckets for each that is asked for: this makes it about one for each pixel.
const DENSITY = 0.7
// So many curves are drawn at half of that, in half the time; their bands are no less high for it.
const MANY = 16

const READ = 4 // pixels that a key moves the cursor

class KoboChart extends HTMLElement {
  static observedAttributes = ["data-last", "data-detail", "data-src"]

  // One for all: a page may have a thousand charts, of which few are ever looked at.
  static #watch = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => target.#seen(isIntersecting)), { rootMargin: AHEAD })
  static #resize = new ResizeObserver((entries) => entries.forEach(({ target }) => target.parentNode?.#resized()))

  #plot = null
  #drawn = null // what is drawn: { header, columns }
  #request = new AbortController()
  #connection = null // an AbortController, from when the chart is first in view
  #stale = true
  #inView = false
  #size = ""

  connectedCallback() {
    KoboChart.#watch.observe(this)
  }

  disconnectedCallback() {
    KoboChart.#watch.unobserve(this)
    KoboChart.#resize.unobserve(this.#place)
    this.#connection?.abort()
    this.#connection = null
    this.#request.abort()
    this.#clear()
    this.#stale = true
  }

  attributeChangedCallback(name, before, now) {
    if (before === null || before === now) return // the page says it already
    if (name === "data-src") this.#refetch()
    else if (this.uplot?.cursor.idx == null) this.#sayLast()
  }

  /** Return the uPlot that draws the curves, undefined until there is one. */
  get uplot() {
    return this.#plot?.uplot
  }

  /** Return the address of what is drawn, in another form: csv or svg; without one as columns. */
  address(form = "") {
    const url = new URL(this.dataset.src, location.href)
    url.pathname += form && `.${form}`
    for (const [name, value] of Object.entries(view.query)) url.searchParams.set(name, value)
    const { log, low, high } = view
    if (form === "svg") for (const [name, value] of Object.entries({ low, high, log: log || null })) if (value !== null) url.searchParams.set(name, Number(value))
    const density = url.searchParams.getAll("run").length > MANY ? DENSITY / 2 : DENSITY
    if (!form) url.searchParams.set("width", Math.max(Math.round(this.#place.clientWidth * density), 16))
    return url
  }

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
    if (inView && !this.#connection) this.#connect()
    if (inView && this.#stale) this.#load()
  }

  #connect() {
    this.#connection = new AbortController()
    const { signal } = this.#connection
    view.addEventListener("change", this.#refetch, { signal })
    addEventListener("kobo-version", this.#refetch, { signal })
    addEventListener("kobo-theme", this.#redraw, { signal })
    this.addEventListener("keydown", this.#key, { signal })
    if (!this.querySelector(".chart-menu")) this.querySelector(".chart-head").append(menuOf(this))
    this.#size = this.#sizeOf().join()
    KoboChart.#resize.observe(this.#place)
  }

  #sizeOf() {
    return [this.#place.clientWidth, this.#place.clientHeight]
  }

  #resized() {
    const [width, height] = this.#sizeOf()
    const size = `${width},${height}`
    if (width === 0 || size === this.#size) return
    this.#size = size
    this.uplot?.setSize({ width, height })
    this.#refetch()
  }

  async #load() {
    this.#stale = false
    this.#request.abort()
    this.#request = new AbortController()
    const { signal } = this.#request
    this.dataset.state = "loading"
    try {
      const address = this.address()
      const [what, known] = [address.href, this.#known(address.href)]
      for (const [name, value] of Object.entries(known)) address.searchParams.set(name, value)
      const response = await fetch(address, { signal, cache: "no-cache", headers: { Accept: "application/json" } })
      if (!response.ok) throw new Error((await response.json()).error)
      const found = decode(await response.arrayBuffer())
      if (signal.aborted) return
      if (found.header.kept) found.columns = continued(this.#drawn.columns, found.columns, found.header.kept)
      this.#draw({ ...found, what })
      this.dataset.state = "ready"
    } catch (error) {
      if (error.name === "AbortError") return
      this.#stale = true
      this.#fail(error)
    }
  }

  /** Return what is asked for beside an address whose curves are drawn: only what has come since. */
  #known(what) {
    if (this.#drawn?.what !== what || (view.smooth && view.way !== "ema")) return {}
    const { header, columns } = this.#drawn
    const places = columns.x_lo.length
    if (!header.live || places < 2) return {}
    const after = columns.x_lo[places - 1]
    const keep = columns.x_lo.indexOf(after)
    return { after, grid: header.grid, had: columns.count.reduce((sum, count, i) => (i % places < keep ? sum + count : sum), 0) }
  }

  #draw(found) {
    this.#drawn = found
    if (this.#plot?.fits(found, view.log)) {
      this.#plot.update(found)
      if (this.uplot.cursor.idx == null) this.#sayLast()
      return
    }
    this.#clear()
    this.#plot = new Plot(this.#place, found, {
      view,
      zoom: (lo, hi) => view.set({ lo, hi }),
      point: (bucket) => (bucket === null ? this.#sayLast() : this.#sayBucket(bucket)),
    })
    this.#sayLast()
  }

  #clear() {
    this.#plot?.destroy()
    this.#plot = null
    this.#place.replaceChildren()
  }

  #sayLast() {
    this.#say(this.dataset.last ?? "", this.dataset.detail ?? "")
    this.#plot?.legend?.say(this.#drawn.header.curves.map(() => null))
  }

  #sayBucket(i) {
    const { header, columns } = this.#drawn
    const { x_lo, x_hi, low, high, mean, nonfinite, smooth } = columns
    const from = position(x_lo[i], header)
    const where = x_lo[i] === x_hi[i] ? from : `${from} – ${position(x_hi[i], header).replace(/^step |^index /, "")}`
    if (this.#plot.legend) {
      this.#plot.legend.say(header.curves.map((_, curve) => (smooth ?? mean)[curve * x_lo.length + i]))
      return this.#say("", where)
    }
    const range = low[i] < high[i] ? ` · ${number(low[i])} … ${number(high[i])}` : ""
    const bad = nonfinite[i] ? ` · ${number(nonfinite[i])} not finite` : ""
    const raw = smooth ? ` · raw ${number(mean[i])}` : ""
    this.#say(number(smooth ? smooth[i] : mean[i]), where + raw + range + bad)
  }

  #say(value, detail) {
    this.querySelector("output").textContent = value
    this.querySelector(".detail").textContent = detail
  }

  /** Move the window by a share of its width, or make it as many times as wide. */
  #move(share, times) {
    const { lo, hi, x_first, x_last, axis } = this.#drawn.header
    const [middle, half] = [(lo + hi) / 2 + share * (hi - lo), ((hi - lo) / 2) * times]
    const wanted = [middle - half, middle + half]
    if (times > 1 && wanted[0] <= x_first && wanted[1] >= x_last) return view.set({ lo: null, hi: null })
    const over = Math.max(x_first - wanted[0], 0) || Math.min(x_last - wanted[1], 0)
    const ends = rounded(wanted[0] + over, wanted[1] + over, axis === "step" || axis === "index")
    if (ends[0] < ends[1]) view.set({ lo: Math.max(ends[0], x_first), hi: Math.min(ends[1], x_last) })
  }

  /** Move the cursor, which begins in the middle. */
  #read(pixels) {
    const { over, cursor } = this.uplot
    const left = cursor.left < 0 ? over.clientWidth / 2 : cursor.left + pixels
    this.uplot.setCursor({ left: Math.min(Math.max(left, 0), over.clientWidth - 1), top: over.clientHeight / 2 })
  }

  #key = (event) => {
    if (event.target !== this.#place || !this.#plot || event.ctrlKey || event.metaKey || event.altKey) return
    const act = {
      ArrowLeft: () => (event.shiftKey ? this.#read(-READ) : this.#move(-0.2, 1)),
      ArrowRight: () => (event.shiftKey ? this.#read(READ) : this.#move(0.2, 1)),
      ArrowUp: () => this.#move(0, 0.5),
      ArrowDown: () => this.#move(0, 2),
      Home: () => view.set({ lo: null, hi: null }),
      f: () => fullScreen(this),
    }[event.key]
    if (!act) return
    event.preventDefault()
    act()
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
