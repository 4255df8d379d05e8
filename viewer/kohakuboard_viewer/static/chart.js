// <kobo-chart data-src>: the curves that a URL of /series names, fetched at the resolution of the screen and only once
// they are in view.

import { Curves } from "./curves.js"
import { continued } from "./fetched.js"
import { fullScreen, menuOf } from "./menu.js"
import { rounded } from "./plot.js"
import { view } from "./view.js"

// The server sends one to two buckets for each that is asked for: this makes it about one for each pixel.
const DENSITY = 0.7
// So many curves are drawn at half of that, in half the time; their bands are no less high for it.
const MANY = 16

const READ = 4 // pixels that a key moves the cursor

class KoboChart extends Curves {
  static observedAttributes = ["data-last", "data-detail", "data-src"]

  view = view
  #asked = "" // the address of what is fetched
  #connection = null // an AbortController, from when the chart is first in view

  disconnectedCallback() {
    super.disconnectedCallback()
    this.#connection?.abort()
  }

  attributeChangedCallback(name, before, now) {
    if (before === null || before === now) return // the page says it already
    if (name === "data-src") this.refetch()
    else if (this.uplot?.cursor.idx == null) this.sayLast()
  }

  /** Return the address of what is to be drawn; of what is drawn already, only of what has come since. */
  address() {
    this.#asked = this.addressAs("")
    return `${this.#asked}&${new URLSearchParams(this.#known())}`
  }

  /** Return the address of the curves in a form: csv or svg; without one as columns. */
  addressAs(form) {
    const [path, query] = this.dataset.src.split("?")
    const asked = new URLSearchParams(query)
    for (const [name, value] of Object.entries(view.query)) asked.set(name, value)
    const { log, low, high } = view
    if (form === "svg") for (const [name, value] of Object.entries({ low, high, log: log || null })) if (value !== null) asked.set(name, Number(value))
    const isMany = asked.getAll("run").length > MANY
    if (!form) asked.set("width", Math.max(Math.round(this.width * DENSITY * (isMany ? 0.5 : 1)), 16))
    if (!form && isMany) asked.set("brief", 1)
    return `${path}${form && `.${form}`}?${asked}`
  }

  enter() {
    super.enter()
    this.#connection = new AbortController()
    const { signal } = this.#connection
    view.addEventListener("change", this.refetch, { signal })
    addEventListener("kobo-version", this.refetch, { signal })
    addEventListener("kobo-theme", this.redraw, { signal })
    this.addEventListener("keydown", this.#key, { signal })
    if (!this.querySelector(".chart-menu")) this.querySelector(".chart-head").append(menuOf(this))
  }

  take(found) {
    if (found.header.kept) found.columns = continued(this.drawn.columns, found.columns, found.header.kept)
    this.draw({ ...found, what: this.#asked })
  }

  /** Return what the server is told of the curves that are drawn. */
  #known() {
    if (this.drawn?.what !== this.#asked || (view.smooth && view.way !== "ema")) return {}
    const { header, columns } = this.drawn
    const places = columns.x_lo.length
    if (!header.live || !columns.count || places < 2) return {}
    const after = columns.x_lo[places - 1]
    const keep = columns.x_lo.indexOf(after)
    return { after, grid: header.grid, had: columns.count.reduce((sum, count, i) => (i % places < keep ? sum + count : sum), 0) }
  }

  resized() {
    if (super.resized()) this.refetch()
  }

  zoom(lo, hi) {
    view.set({ lo, hi })
  }

  /** Move the window by a share of its width, or make it as many times as wide. */
  #move(share, times) {
    const { lo, hi, x_first, x_last, axis } = this.drawn.header
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
    if (event.target !== this.place || !this.plot || event.ctrlKey || event.metaKey || event.altKey) return
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
}

customElements.define("kobo-chart", KoboChart)
