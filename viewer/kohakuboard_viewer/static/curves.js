// An element that draws curves in its .plot, and says in its <output> and .detail what they are where the cursor is, else
// what data-last and data-detail have. What draws them otherwise has a `view` (see plot.js) and a `zoom(lo, hi)`.

import { Fetched } from "./fetched.js"
import { number, position } from "./format.js"
import { Plot } from "./plot.js"

export class Curves extends Fetched {
  static #resize = new ResizeObserver((entries) => entries.forEach(({ target }) => target.parentNode?.resized()))

  plot = null
  drawn = null // what is drawn: { header, columns }
  width = 0 // as it was last laid out: to ask at each zoom would have the page laid out anew
  #height = 0

  enter() {
    Curves.#resize.observe(this.place)
  }

  disconnectedCallback() {
    super.disconnectedCallback()
    Curves.#resize.unobserve(this.place)
    this.clear()
  }

  get place() {
    return this.querySelector(".plot")
  }

  /** Return the uPlot that draws the curves, undefined until there is one. */
  get uplot() {
    return this.plot?.uplot
  }

  take(found) {
    this.draw(found)
  }

  draw(found) {
    this.drawn = found
    if (this.plot?.fits(found, this.view.log)) {
      this.plot.update(found)
      if (this.uplot.cursor.idx == null) this.sayLast()
      return
    }
    this.clear()
    this.plot = new Plot(this.place, found, {
      view: this.view,
      size: { width: this.width, height: this.#height },
      zoom: (lo, hi) => this.zoom(lo, hi),
      point: (bucket) => (bucket === null ? this.sayLast() : this.#sayBucket(bucket)),
    })
    this.sayLast()
  }

  /** Draw the same in other colours. */
  redraw = () => {
    this.clear()
    if (this.drawn) this.draw(this.drawn)
  }

  clear() {
    this.plot?.destroy()
    this.plot = null
    this.place.replaceChildren()
  }

  fail(words) {
    this.clear()
    this.place.append(Object.assign(document.createElement("p"), { className: "failure", textContent: words }))
  }

  /** Make the plot as large as its place has become, and return whether that is another size. */
  resized() {
    const before = `${this.width},${this.#height}`
    if (this.place.clientWidth) this.measure()
    const isOther = `${this.width},${this.#height}` !== before
    if (isOther) this.uplot?.setSize({ width: this.width, height: this.#height })
    return isOther
  }

  measure() {
    this.width = this.place.clientWidth
    this.#height = this.place.clientHeight
  }

  sayLast() {
    const { damaged = [] } = this.drawn.header
    const trouble = damaged.length ? `cannot be read: ${damaged.join(", ")}` : ""
    this.#say(this.dataset.last ?? "", [this.dataset.detail, trouble].filter(Boolean).join(" · "))
    this.plot?.legend?.say(this.drawn.header.curves.map(() => null))
  }

  #sayBucket(i) {
    const { header, columns } = this.drawn
    const { x_lo, x_hi, low, high, mean, nonfinite = [], smooth } = columns
    const from = position(x_lo[i], header)
    const where = x_lo[i] === x_hi[i] ? from : `${from} – ${position(x_hi[i], header).replace(/^step |^index /, "")}`
    if (this.plot.legend) {
      this.plot.legend.say(header.curves.map((_, curve) => (smooth ?? mean)[curve * x_lo.length + i]))
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
}
