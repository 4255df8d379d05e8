// Draw one window of some curves with uPlot: a mean line each over the band from lowest to highest, so that a spike of
// one point is as high here as it was, however many points share its pixel.

import { TIME_STEPS, number, positionTicks, valueTicks } from "./format.js"
import { drawBands, drawLeaving, drawNonfinite, palette, shades } from "./paint.js"

const LEAST_DRAG = 6 // pixels; less is a click
const FONT = "11px system-ui, sans-serif"
const OUTLIERS = 0.02 // of the buckets at either end

/**
 * Draws windows of curves into an element of a `size`. `view` has log, clip, low and high; `zoom(lo, hi)` is called when a
 * range was dragged, and with nulls to show all; `point(bucket)` when the cursor is at a bucket, and with null when it left.
 */
export class Plot {
  #found
  #looks
  #focused = null

  constructor(place, found, { view, size, zoom, point }) {
    this.axis = found.header.axis
    this.log = view.log
    this.labels = labelsOf(found)
    this.#found = found
    this.#looks = shades(found.header.curves)
    this.view = view
    this.uplot = new uPlot(this.#options(size, zoom, point), lines(found, this.log), place)
    if (this.#looks.length < 2) return
    /** What the lines are; none where there is one line. */
    this.legend = new Legend(found.header.curves, this.#looks, (i) => this.#focus(i))
    place.after(this.legend.list)
  }

  destroy() {
    this.uplot.destroy()
    this.legend?.list.remove()
  }

  /** Tell whether another window would be drawn by the same axes and lines. */
  fits(found, log) {
    return this.axis === found.header.axis && this.log === log && this.labels === labelsOf(found)
  }

  /** Draw another window; a drag in progress and the cursor stay. */
  update(found) {
    this.#found = found
    this.uplot.setData(lines(found, this.log))
  }

  /** Put one curve before the others, with null none. */
  #focus(i) {
    this.#focused = i
    const first = this.#found.columns.smooth ? 1 + this.#looks.length : 1
    this.uplot.setSeries(i === null ? null : first + i, { focus: true })
  }

  #options({ width, height }, zoom, point) {
    const time = this.axis === "relative" || this.axis === "wall"
    const whole = this.axis === "step" || this.axis === "index"
    const colours = palette()
    const drawn = () => ({ ...this.#found, log: this.log, looks: this.#looks, colours, focused: this.#focused })
    return {
      width: Math.max(width, 60),
      height: Math.max(height, 60),
      padding: [10, 20, 0, 0], // on the right half of the last tick's label
      legend: { show: false },
      focus: { alpha: 0.25 },
      scales: {
        x: { time: false, range: () => xRange(this.#found.header) },
        y: { distr: this.log ? 3 : 1, range: () => yRange(this.#found, this.view) },
      },
      series: [{}, ...this.#lineStyles()],
      axes: [this.#xAxis(time, colours), this.#yAxis(colours)],
      cursor: {
        y: false,
        points: { size: 7, show: this.#looks.length === 1 },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => zoom(null, null) },
        // Only the crosshair is shared; a shared drag would zoom each chart by its own pixels.
        sync: { key: `kobo-${this.axis}`, scales: ["x", null], filters: { pub: isMovement, sub: isMovement } },
      },
      hooks: {
        drawAxes: [(plot) => drawBands(plot, drawn())],
        draw: [(plot) => drawNonfinite(plot, drawn()), (plot) => drawLeaving(plot, drawn())],
        setCursor: [(plot) => point(plot.cursor.idx ?? null)],
        setSelect: [(plot) => selected(plot, whole, zoom)],
        ready: [(plot) => passTouches(plot.over)],
      },
    }
  }

  #lineStyles() {
    const smoothed = Boolean(this.#found.columns.smooth)
    const many = this.#looks.length > 8
    const raw = this.#looks.map(({ line, faint, dash }) => {
      const stroke = smoothed ? faint : line
      const width = smoothed || many ? 1 : 1.5
      return { stroke, width, dash: smoothed ? [] : dash, spanGaps: true, points: { size: 4, fill: stroke, stroke } }
    })
    if (!smoothed) return raw
    return [
      ...raw,
      ...this.#looks.map(({ line, dash }) => ({ stroke: line, width: many ? 1.2 : 1.8, dash, spanGaps: true, points: { show: false } })),
    ]
  }

  #xAxis(time, colours) {
    const wall = this.axis === "wall"
    return {
      ...axisStyle(colours),
      size: wall ? 40 : 26,
      space: wall ? 74 : 60,
      incrs: time ? TIME_STEPS : undefined,
      values: (plot, ticks, index, space, step) => positionTicks(ticks, this.axis, step),
    }
  }

  #yAxis(colours) {
    return {
      ...axisStyle(colours),
      space: 34,
      size: (plot, labels) => 14 + Math.max(0, ...(labels ?? []).map((label) => label?.length ?? 0)) * 6.6,
      values: (plot, ticks, index, space, step) => valueTicks(ticks, step),
    }
  }
}

function labelsOf({ header, columns }) {
  return JSON.stringify([Boolean(columns.smooth), header.curves.map(({ label, light }) => [label, light])])
}

function isMovement(type) {
  return type === "mousemove" || type === "mouseleave"
}

/** Return uPlot's data. Nulls, since uPlot loses a line that begins with NaN. */
function lines({ header, columns: { x_lo, x_hi, mean, smooth } }, log) {
  const places = x_lo.length
  const shown = (value) => (Number.isFinite(value) && (!log || value > 0) ? value : null)
  const x = Array.from(x_lo, (lo, i) => (lo + x_hi[i]) / 2)
  // A bucket of many points is drawn at its middle; the line itself begins and ends where the points do.
  if (places > 1) [x[0], x[places - 1]] = [x_lo[0], x_hi[places - 1]]
  const row = (values) => (values.every((value) => shown(value) !== null) ? values : Array.from(values, shown))
  const rows = (column) => header.curves.map((_, i) => row(column.subarray(i * places, (i + 1) * places)))
  return [x, ...rows(mean), ...(smooth ? rows(smooth) : [])]
}

function xRange({ lo, hi }) {
  return hi > lo ? [lo, hi] : [lo - 0.5, hi + 0.5]
}

/** Return the range that was set, else that of the extremes in the window, with some air. */
function yRange({ header, columns }, { log, clip, low: set, high: top }) {
  const [low, high] = (clip ? usual : extremes)(header, columns, log)
  const found = low > high ? (log ? [1, 10] : [0, 1]) : airy(low, high, log)
  const range = [set !== null && (!log || set > 0) ? set : found[0], top !== null && (!log || top > 0) ? top : found[1]]
  return range[0] < range[1] ? range : found
}

function airy(low, high, log) {
  if (log) return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.05, high * (high / low) ** 0.05]
  const air = high > low ? high * 0.06 - low * 0.06 : Math.abs(high) * 0.1 || 1
  return [low - air, high + air]
}

function extremes(header, columns, log) {
  let [low, high] = [Infinity, -Infinity]
  eachInWindow(header, columns, log, (least, most) => {
    if (most > high) high = most
    if (least < low) low = least
  })
  return [low, high]
}

/** Return the range without what few buckets reach and what is far from all others. */
function usual(header, columns, log) {
  const [lows, highs] = [[], []]
  eachInWindow(header, columns, log, (least, most) => {
    lows.push(least)
    highs.push(most)
  })
  if (!lows.length) return [Infinity, -Infinity]
  const [low, high] = [Float64Array.from(lows).sort(), Float64Array.from(highs).sort()]
  const at = (values, share) => values[Math.floor(share * (values.length - 1))]
  const [bottom, top] = [at(low, OUTLIERS), at(high, 1 - OUTLIERS)]
  const air = (top - bottom) / 2
  return [Math.max(low[0], log ? bottom / 10 : bottom - air), Math.min(high.at(-1), log ? top * 10 : top + air)]
}

function eachInWindow({ lo, hi }, { x_lo, x_hi, low, high, mean }, log, take) {
  const places = x_lo.length
  for (let i = 0; i < low.length; i += 1) {
    const place = i % places
    if (x_hi[place] < lo || x_lo[place] > hi) continue
    const least = log && low[i] <= 0 ? mean[i] : low[i]
    if (high[i] >= least && (!log || least > 0)) take(least, high[i])
  }
}

function axisStyle({ label, grid }) {
  return { stroke: label, font: FONT, gap: 5, grid: { stroke: grid, width: 1 }, ticks: { show: false } }
}

function selected(plot, whole, zoom) {
  const { left, width } = plot.select
  if (width < LEAST_DRAG) return
  const [lo, hi] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
  zoom(...rounded(lo, hi, whole))
}

/** Return a window without the digits beyond a pixel's worth, which would only make the URL long. */
export function rounded(lo, hi, whole) {
  const digits = Math.floor(Math.log10(hi - lo)) - 3
  const grain = whole ? Math.max(10 ** digits, 1) : 10 ** digits
  return [Math.floor(lo / grain), Math.ceil(hi / grain)].map((n) => Number((n * grain).toPrecision(15)))
}

/** Let one finger do what the mouse does; up and down it scrolls the page (touch-action in the style sheet). */
function passTouches(over) {
  const names = { pointerdown: "mousedown", pointermove: "mousemove", pointerup: "mouseup", pointercancel: "mouseup" }
  for (const [name, mouse] of Object.entries(names)) {
    over.addEventListener(name, (event) => {
      if (event.pointerType !== "touch") return
      const { clientX, clientY } = event
      const target = mouse === "mouseup" ? document : over
      // uPlot passes over moves of 0, which is what an event that a script makes is by default.
      target.dispatchEvent(new MouseEvent(mouse, { clientX, clientY, movementX: 1, buttons: 1, bubbles: true }))
    })
  }
}

/** Lists the curves of a chart; `focus(i)` is called while one is pointed at, with null after. */
class Legend {
  #values = []

  constructor(curves, looks, focus) {
    this.list = document.createElement("ul")
    this.list.className = "legend"
    curves.forEach(({ label, run }, i) => {
      const item = document.createElement("li")
      const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg")
      swatch.innerHTML = `<line x1="0" y1="4" x2="22" y2="4" stroke="${looks[i].line}" stroke-width="2.5" stroke-dasharray="${looks[i].dash.join(" ")}"/>`
      swatch.setAttribute("viewBox", "0 0 22 8")
      swatch.setAttribute("aria-hidden", "true")
      const name = document.createElement("span")
      name.textContent = name.title = label
      item.title = run ?? ""
      const value = document.createElement("span")
      value.className = "value"
      this.#values.push(value)
      item.append(swatch, name, value)
      item.addEventListener("pointerenter", () => focus(i))
      item.addEventListener("pointerleave", () => focus(null))
      this.list.append(item)
    })
  }

  /** Say the values; null for a curve that has none there. */
  say(values) {
    values.forEach((value, i) => {
      const words = value === null || Number.isNaN(value) ? "" : number(value)
      if (this.#values[i].textContent !== words) this.#values[i].textContent = words
    })
  }
}
