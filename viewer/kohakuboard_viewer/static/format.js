// Numbers and times in words, the same as present.py writes them into the page.

const THIN = "\u202f"

/** Return a number with about five significant digits. */
export function number(value) {
  if (value === null || value === undefined) return "–"
  if (Number.isNaN(value)) return "NaN"
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞"
  const size = Math.abs(value)
  if (Number.isInteger(value) && size < 1e9) return grouped(value)
  if (size >= 1e6 || size < 1e-4) return value.toExponential(4).replace(/\.?0*e\+?/, "e")
  return size < 1e4 ? String(Number(value.toPrecision(5))) : grouped(value.toFixed(0))
}

/** Return the position of a point on an axis; `x` is its name. */
export function position(value, { axis, x }) {
  if (axis === "wall") return `${day(value)} ${clock(value, 1)}`
  if (axis === "relative") return span(value)
  if (axis === "metric") return `${x} ${number(value)}`
  return `${axis} ${grouped(Math.round(value))}`
}

/** Return the labels of a y axis; `step` is the distance between two of them. */
export function valueTicks(values, step) {
  const largest = Math.max(...values.map(Math.abs))
  if (largest >= 1e6 || (largest > 0 && largest < 1e-3)) return values.map(short)
  return values.map((value) => (value === null ? "" : grouped(value.toFixed(decimals(step)))))
}

/** Return the labels of an x axis. */
export function positionTicks(values, axis, step) {
  if (axis === "relative") return values.map(span)
  if (axis === "wall") return wallTicks(values, step)
  if (axis === "metric") return valueTicks(values, step)
  const [unit, letter] = step >= 1e6 ? [1e6, "M"] : step >= 1e3 ? [1e3, "k"] : [1, ""]
  return values.map((value) => (Number.isInteger(value) ? (value === 0 ? "0" : grouped(value / unit) + letter) : ""))
}

/** Return the distances between labels that people count time in, in seconds. */
export const TIME_STEPS = [
  1e-6, 1e-5, 1e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900,
  1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000, 2592000, 7776000, 31536000,
]

/** Return a length of time as 0.25 s, 1:30 or 2:00:15. */
function span(seconds) {
  const size = Math.abs(seconds)
  if (size < 60) return `${Number(seconds.toPrecision(3))} s`
  const [hours, minutes, rest] = [Math.floor(size / 3600), Math.floor(size / 60) % 60, Math.floor(size % 60)]
  const sign = seconds < 0 ? "-" : ""
  return sign + (hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`)
}

function wallTicks(values, step) {
  let shownDay = null
  return values.map((value) => {
    const today = day(value)
    const label = step >= 86400 ? today : clock(value, step) + (today === shownDay ? "" : `\n${today}`)
    shownDay = today
    return label
  })
}

/** Return the time of day as finely as times that are `step` seconds apart need it. */
function clock(seconds, step) {
  const time = new Date(seconds * 1000)
  const minutes = `${two(time.getHours())}:${two(time.getMinutes())}`
  if (step >= 60) return minutes
  const whole = `${minutes}:${two(time.getSeconds())}`
  return step >= 1 ? whole : whole + (seconds - Math.floor(seconds)).toFixed(Math.min(decimals(step), 6)).slice(1)
}

function day(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" })
}

/** Return how many decimals tell multiples of a step apart: 2 for 0.25. */
function decimals(step) {
  let digits = 0
  while (digits < 8 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6 * step * 10 ** digits) digits += 1
  return digits
}

function short(value) {
  return value === null ? "" : value === 0 ? "0" : value.toExponential(2).replace(/\.?0*e\+?/, "e")
}

/** Put a narrow space between the thousands of the whole part of a number. */
function grouped(value) {
  const [whole, ...rest] = String(value).split(".")
  return [whole.replace(/\B(?=(\d{3})+$)/g, THIN), ...rest].join(".")
}

function two(value) {
  return String(value).padStart(2, "0")
}
